import { count, duration, significant } from '../activities/reports/quantities.ts';
import type { ArmRow, PairedDifference } from '../domain/ablation-table.ts';
import type { AblationState, DpoStage } from '../domain/ablation.ts';
import { figure, percent, percentRange, points, pointsRange, share } from '../domain/figures.ts';
import { textTable } from './terminal.ts';
import type { Paint } from './terminal.ts';

/** `1 × dpo at β 0.05, 3 × cal-dpo at β 0.1 without the noisiest 15.0 %`. */
export const stagesWords = (stages: readonly DpoStage[]): string =>
  stages
    .map(({ epochs, beta, loss, dropNoisiestShare }) => {
      const drops = dropNoisiestShare === 0 ? '' : ` without the noisiest ${percent(dropNoisiestShare)}`;
      return `${String(epochs)} × ${loss} at β ${significant(beta)}${drops}`;
    })
    .join(', ');

const difference = (over: PairedDifference | null): string[] =>
  over === null
    ? ['', '', '']
    : [
        points(over.estimate).replace(' points', ''),
        pointsRange(over.low, over.high).replace(' points', ''),
        figure(over.pHolm),
      ];

const nats = (value: number | null): string => (value === null ? '–' : significant(value, 3));

/** The table of an ablation, or the arms so far. Pure. */
export function ablationText({ table, arms, planned }: AblationState, paint: Paint): string[] {
  if (table === null)
    return [`${String(arms.length)} of ${String(planned.length)} arms are trained; the table is made when all are.`];
  const seeds = new Set(table.rows.map(({ seed }) => seed)).size;
  const name = ({ name: arm, seed }: ArmRow) => (seeds === 1 ? arm : `${arm}, seed ${String(seed)}`);
  const against = ['points', '95 %', 'p'];
  const titles = [
    '',
    'accuracy',
    '95 %',
    'right',
    'vs plain',
    ...against.slice(1),
    'vs start',
    ...against.slice(1),
    'margin',
    'h chosen',
    'steps',
    'time',
  ];
  const { reference } = table;
  const cells = ({ estimate, low, high, successes, n }: ArmRow['accuracy']) => [
    percent(estimate),
    percentRange(low, high),
    `${count(successes)}/${count(n)}`,
  ];
  const rows = table.rows.map((row) => [
    name(row),
    ...cells(row.accuracy),
    ...difference(row.overPlain),
    ...difference(row.overReference),
    ...[nats(row.margin), nats(row.chosenRatio), count(row.steps), duration(row.gpuSeconds)],
  ]);
  return [
    ...textTable([titles.map(paint.soft), ['start', ...cells(reference)], ...rows], [1, 3, 4, 6, 7, 9, 10, 11, 12, 13]),
    '',
    ...table.spread.map(
      (arm) =>
        `${arm.name}: mean of ${String(arm.seeds)} seeds ${percent(arm.mean)}, from ${percentRange(arm.lowest, arm.highest)}`,
    ),
    ...table.findings,
    paint.soft(
      'start: the adapter that all arms go on from. Points on the same items; p: exact McNemar, adjusted by Holm.',
    ),
    paint.soft('margin: β·(h chosen − h rejected), h = log π/π_ref in nats, means over the pairs of the last epoch.'),
  ];
}

/** Lines of the live view: where all arms start, a line per arm that is there. */
export function armLines({ reference, arms, planned }: AblationState, paint: Paint): string[] {
  const seeds = new Set(planned.map(({ seed }) => seed)).size;
  const line = (name: string, { correct, n }: { correct: number; n: number }) =>
    `${paint.good('✓')} ${name.padEnd(14)} ${share(correct, n)}`;
  return [
    ...(reference === null ? [] : [line('Start', reference.evaluation)]),
    ...arms.map((arm) => line(seeds === 1 ? arm.name : `${arm.name} ${String(arm.repetition)}`, arm.evaluation)),
  ];
}
