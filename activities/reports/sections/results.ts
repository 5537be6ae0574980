import { percent, percentRange, points, pointsRange, threshold, pointsThreshold } from '../../../domain/figures.ts';
import type { CriterionVerdict } from '../../../domain/gate-types.ts';
import { isGain } from '../../../domain/gate-verdict.ts';
import { accuracyChart, attemptLabel } from '../charts/accuracy-chart.ts';
import { criteriaChart, criterionName, criterionNumber } from '../charts/criteria-chart.ts';
import type { CriterionRow } from '../charts/criteria-chart.ts';
import { chart } from '../charts/render.ts';
import { html } from '../html.ts';
import type { Html } from '../html.ts';
import type { AccuracyRow, ReportData } from '../report-data.ts';
import { section, table, verdictBadge } from './section.ts';

const outcomeWords: Record<AccuracyRow['outcome'], string> = {
  base: 'starting point',
  promoted: 'promoted',
  'promoted-by-override': 'promoted by override',
  rejected: 'rejected',
  pending: 'undecided',
};

const numbersOf = ({ criterion, estimate, low, high, pHolm, p, detectable }: CriterionVerdict): string[] => [
  criterionNumber(criterion, estimate),
  isGain(criterion.metric) ? pointsRange(low, high) : percentRange(low, high),
  pValue(pHolm ?? p),
  points(detectable).replace('+', ''),
];

/** Accuracy by phase with error bars, and every evaluation behind it. */
export async function accuracySection(data: ReportData): Promise<Html> {
  const headlines = data.accuracies.filter(({ headline, accuracy }) => headline && accuracy.n > 0);
  if (headlines.length === 0) return html``;
  const n = headlines[0]?.accuracy.n ?? 0;
  const picture = await chart(accuracyChart(headlines, data.majority), 'Accuracy by phase with 95 % intervals');
  const rows = data.accuracies.map((row) => [
    html`<strong>${attemptLabel(row.phase, row.attempt, row.round)}</strong> ${row.mode}`,
    percent(row.accuracy.estimate),
    percentRange(row.accuracy.low, row.accuracy.high),
    `${row.accuracy.successes}/${row.accuracy.n}`,
    row.accuracy.n === 0 ? '–' : percent(row.predictedYes / row.accuracy.n),
    String(row.unparsable),
    String(row.truncated),
    row.headline ? outcomeWords[row.outcome] : '',
  ]);
  const columns = [
    { title: 'asked how' },
    { title: 'accuracy', number: true },
    { title: '95 % interval', number: true },
    { title: 'right', number: true },
    { title: 'says yes', number: true },
    { title: 'unparsable', number: true },
    { title: 'truncated', number: true },
    { title: 'became' },
  ];
  return section(
    'accuracy',
    'Accuracy by phase',
    `Share of ${n} held-out questions answered rightly, with 95 % Wilson intervals. Green was promoted, red was rejected.`,
    html`${picture} ${table(columns, rows, 'Every evaluation')}`,
  );
}

const pValue = (p: number | null) => (p === null ? '' : p < 0.001 ? '< 0.001' : p.toFixed(3));

/** What each gate asked for against what came out. */
export async function targetsSection(data: ReportData): Promise<Html> {
  const rows: CriterionRow[] = data.gates.flatMap(({ evidence }) =>
    evidence.criteria.map((criterion) => ({
      label: `${attemptLabel(evidence.gate, evidence.attempt, evidence.round)}: ${criterionName(criterion.criterion)}`,
      criterion,
    })),
  );
  if (rows.length === 0) return html``;
  const columns = [
    { title: 'criterion' },
    { title: 'verdict' },
    { title: 'asked', number: true },
    { title: 'result', number: true },
    { title: 'interval', number: true },
    { title: 'p', number: true },
    { title: 'could show', number: true },
  ];
  const gain = ({ criterion: { criterion } }: CriterionRow) => isGain(criterion.metric);
  const cells = rows.map((row) => {
    const { criterion } = row;
    const asked = criterion.criterion.atLeast;
    return [
      row.label,
      verdictBadge(criterion.verdict),
      gain(row) ? `≥ ${pointsThreshold(asked)}` : `≥ ${threshold(asked)}`,
      ...(criterion.n === 0 ? ['–', 'not measured', '–', '–'] : numbersOf(criterion)),
    ];
  });
  return section(
    'targets',
    'Targets against results',
    'Each result as its distance from what its gate asked. An interval wholly right of the line passes, wholly left of it fails; one that crosses it settles nothing.',
    html`${rows.some(({ criterion }) => criterion.n > 0) ? await chart(criteriaChart(rows), 'Results against targets') : null}
      ${table(columns, cells, 'Targets against results')}
      <p class="note">
        “Could show” is the smallest effect that this many questions would have shown with 80 % power. p: two-sided and
        exact, McNemar against no gain or binomial against the threshold, adjusted by Holm over the criteria of its
        gate.
      </p>`,
  );
}
