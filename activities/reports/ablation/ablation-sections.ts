import type { ArmRow, PairedDifference } from '../../../domain/ablation-table.ts';
import { figure, percent, percentRange, points, pointsRange } from '../../../domain/figures.ts';
import { intervalsChart } from '../charts/arms-chart.ts';
import { fieldOf, linesChart, seriesColours } from '../charts/curve-charts.ts';
import type { Series } from '../charts/curve-charts.ts';
import { chart } from '../charts/render.ts';
import { html } from '../html.ts';
import type { Html } from '../html.ts';
import { count, duration, significant } from '../quantities.ts';
import { legend, section, table } from '../sections/section.ts';
import type { AblationReport, ArmReport } from './collect-ablation.ts';

/** In a column that says so. */
const inColumn = (text: string): string => text.replaceAll(' points', '');
const number = (title: string) => ({ title, number: true });
const labelOf = (data: AblationReport, { name, seed }: Pick<ArmRow, 'name' | 'seed'>): string =>
  data.arms.find((arm) => arm.name === name && arm.seed === seed)?.label ?? name;

/** Green and red are for what is shown beyond chance. */
const colourOf = (over: PairedDifference | null): string =>
  over === null || over.pHolm > 0.05 ? 'var(--accent)' : over.estimate > 0 ? 'var(--pass)' : 'var(--fail)';

/** Accuracies and differences with their intervals, and the table behind them. */
export async function comparedSection(data: AblationReport): Promise<Html> {
  const compared = data.table;
  if (compared === null) return html``;
  const accuracies = [
    { label: 'start', accuracy: compared.reference, colour: 'var(--soft)' },
    ...compared.rows.map((row) => ({
      label: labelOf(data, row),
      accuracy: row.accuracy,
      colour: colourOf(row.overPlain),
    })),
  ].map(({ label, accuracy, colour }) => ({
    ...{ label, colour, text: percent(accuracy.estimate) },
    ...{ estimate: 100 * accuracy.estimate, low: 100 * accuracy.low, high: 100 * accuracy.high },
  }));
  const gains = compared.rows.flatMap((row) => {
    const over = row.overPlain;
    if (over === null) return [];
    const text = `${points(over.estimate)}, p ${figure(over.pHolm)}`;
    return { label: labelOf(data, row), ...inPoints(over), text, colour: colourOf(over) };
  });
  const lede = `Share of ${compared.n} held-out questions answered rightly with drafts and reasoning, with 95 % Wilson intervals; below, differences from plain DPO on the same questions with Tango's. Green and red: beyond chance after Holm's correction.`;
  const body = html`${await chart(intervalsChart(accuracies, 'per cent right', 100 * compared.reference.estimate), 'Accuracy of each arm')}
    ${gains.length === 0 ? null : await chart(intervalsChart(gains, 'points against plain DPO', 0), 'Differences from plain DPO')}
    ${comparedTable(data)} ${spreadTable(data)}
    <p class="note">
      Differences in points. p: exact McNemar, two-sided, adjusted by Holm over the column. “Could show”: the smallest
      difference that this many questions would have shown with 80 % power at the strictest of those levels.
    </p>`;
  return section('compared', 'What each change does', lede, body);
}

const inPoints = ({ estimate, low, high }: PairedDifference) => ({
  ...{ estimate: 100 * estimate, low: 100 * low, high: 100 * high },
});

function comparedTable(data: AblationReport): Html {
  const difference = (over: PairedDifference | null): string[] =>
    over === null
      ? ['–', '', '', '']
      : [
          inColumn(points(over.estimate)),
          inColumn(pointsRange(over.low, over.high)),
          figure(over.pHolm),
          inColumn(points(over.detectable)).replace('+', ''),
        ];
  const cells = ({ estimate, low, high, successes, n }: ArmRow['accuracy']) => [
    percent(estimate),
    percentRange(low, high),
    `${successes}/${n}`,
  ];
  const compared = data.table;
  if (compared === null) return html``;
  const none = Array.from({ length: 8 }, () => '');
  const rows = [
    ['start', ...cells(compared.reference), ...none],
    ...compared.rows.map((row) => [
      labelOf(data, row),
      ...cells(row.accuracy),
      ...difference(row.overPlain),
      ...difference(row.overReference),
    ]),
  ];
  const against = (side: string) => [number(side), number('95 %'), number('p'), number('could show')];
  const columns = [
    { title: 'arm' },
    number('accuracy'),
    number('95 % interval'),
    number('right'),
    ...against('vs plain'),
    ...against('vs start'),
  ];
  return table(columns, rows, 'Arms compared');
}

function spreadTable({ table: compared }: AblationReport): Html {
  if (compared === null || compared.spread.length === 0) return html``;
  const rows = compared.spread.map((arm) => [
    arm.name,
    String(arm.seeds),
    percent(arm.mean),
    percentRange(arm.lowest, arm.highest),
  ]);
  return table(
    [{ title: 'arm' }, number('seeds'), number('mean accuracy'), number('lowest to highest')],
    rows,
    'Spread over seeds',
  );
}

const nats = (value: number | null | undefined): string =>
  value === null || value === undefined ? '–' : significant(value, 3);

/** What each arm trained by, and what its training came to. */
export function armsSection(data: AblationReport): Html {
  if (data.arms.length === 0) return html``;
  const rowOf = ({ name, seed }: ArmReport) => data.table?.rows.find((row) => row.name === name && row.seed === seed);
  const rows = data.arms.map((arm) => [
    arm.label,
    html`${arm.stages.map(
      ({ epochs, beta, loss, dropNoisiestShare: drop }) =>
        html`<div>
          ${epochs} × ${loss}, β ${significant(beta)}${drop === 0 ? '' : `, without the noisiest ${percent(drop)}`}
        </div>`,
    )}`,
    count(arm.steps),
    nats(rowOf(arm)?.margin),
    nats(rowOf(arm)?.chosenRatio),
    count(arm.evaluation.unparsable),
    duration(arm.gpuSeconds),
    count(arm.losses),
  ]);
  const columns = [
    { title: 'arm' },
    { title: 'stages' },
    ...['steps', 'reward margin', 'chosen log-prob', 'unparsable', 'device time', 'times cut off'].map(number),
  ];
  return section(
    'arms',
    'Arms',
    `All start from one adapter, which is also their reference, and see the same ${data.pairs?.rows ?? 0} pairs. Margin β·(h chosen − h rejected) and change of the chosen log-prob h chosen, in nats, as means over the pairs that the last epoch visits.`,
    table(columns, rows, 'Arms and their trainings'),
  );
}

const dashes = [undefined, [6, 4], [2, 3]] as const;

/** Curves of all arms over each other; the last four fields tell a preference that is learnt from text that is unlearnt. */
export async function curvesSection(data: AblationReport): Promise<Html> {
  const trained = data.arms.filter(({ curve }) => (curve?.points.length ?? 0) > 0);
  if (trained.length === 0) return html``;
  const lines = (field: 'loss' | 'margin' | 'chosenRatio' | 'accuracy'): Series[] =>
    trained.map(({ label, curve }, index) => {
      const dash = dashes[Math.floor(index / seriesColours.length) % dashes.length];
      const colour = seriesColours[index % seriesColours.length] ?? 'var(--accent)';
      return {
        name: label,
        colour,
        ...(dash && { dash: [...dash] }),
        points: curve === null ? [] : fieldOf(curve, field),
      };
    });
  const plot = async (title: string, field: Parameters<typeof lines>[0], unit: string, options = {}) => {
    const series = lines(field);
    if (series.every(({ points: of }) => of.length === 0)) return html``;
    return html`<div class="plot">
      <h3>${title}</h3>
      ${legend(series)}${await chart(linesChart(series, unit, options), title, { wide: 430 })}
    </div>`;
  };
  return section(
    'curves',
    'Training',
    'Losses of different arms have different zeros and are not to be compared by height; margins are in nats.',
    html`<div class="plots">
      ${await plot('Reward margin', 'margin', 'β · (h chosen − h rejected), nats', { reference: 0 })}
      ${await plot('Change of the chosen log-prob', 'chosenRatio', 'h chosen, nats', { reference: 0 })}
      ${await plot('Pairs the right way round', 'accuracy', 'share with a positive margin', { reference: 0.5, format: '.0%' })}
      ${await plot('Loss', 'loss', 'nats per pair')}
    </div>`,
  );
}
