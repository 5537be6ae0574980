import { percent, percentRange } from '../../../domain/figures.ts';
import { attemptLabel } from '../charts/accuracy-chart.ts';
import { html } from '../html.ts';
import type { Html } from '../html.ts';
import { count, duration, significant } from '../quantities.ts';
import { remedyWords } from '../remedy-words.ts';
import type { PhaseReport, ReportData } from '../report-data.ts';
import { section, table } from './section.ts';

/** Attempts at the same phase side by side: what was changed, and what that did. Nothing where no phase was repeated. */
export function fixesSection(data: ReportData): Html {
  const repeated = (['A', 'B', 'C'] as const)
    .map((phase) => data.phases.filter((attempt) => attempt.phase === phase))
    .filter((attempts) => attempts.length > 1);
  if (repeated.length === 0) return html``;
  return section(
    'fixes',
    'Fixes compared',
    'The same phase, tried again: one column per attempt.',
    html`${repeated.map((attempts) => comparison(data, attempts))}`,
  );
}

function comparison(data: ReportData, attempts: PhaseReport[]): Html {
  const cells = (title: string, cell: (attempt: PhaseReport) => string) => [title, ...attempts.map(cell)];
  const headline = ({ phase, attempt }: PhaseReport) =>
    data.accuracies.find((row) => row.headline && row.phase === phase && row.attempt === attempt);
  const trainedYes = ({ dataReport }: PhaseReport) => {
    const after = dataReport.steps.at(-1)?.after;
    return after && after.yes + after.no > 0 ? percent(after.yes / (after.yes + after.no)) : '–';
  };
  const rows = [
    cells('changed', ({ remedies }) => (remedies === null ? 'nothing: as in the recipe' : remedyWords(remedies))),
    cells('rows trained on', ({ rows: n }) => count(n)),
    cells('share of yes in them', trainedYes),
    cells('mean loss', ({ trainLoss }) => (trainLoss === null ? '–' : significant(trainLoss, 3))),
    cells('accuracy', (attempt) =>
      withHeadline(
        headline(attempt),
        ({ accuracy }) => `${percent(accuracy.estimate)} (${accuracy.successes}/${accuracy.n})`,
      ),
    ),
    cells('95 % interval', (attempt) =>
      withHeadline(headline(attempt), ({ accuracy }) => percentRange(accuracy.low, accuracy.high)),
    ),
    cells('says yes', (attempt) =>
      withHeadline(headline(attempt), ({ predictedYes, accuracy }) => percent(predictedYes / accuracy.n)),
    ),
    cells('device time', ({ gpuSeconds }) => duration(gpuSeconds)),
    cells('became', ({ outcome }) => outcome.replaceAll('-', ' ')),
  ];
  const columns = [
    { title: '' },
    ...attempts.map(({ phase, attempt }) => ({ title: `Phase ${attemptLabel(phase, attempt)}` })),
  ];
  return table(columns, rows, `Attempts at Phase ${attempts[0]?.phase ?? ''}`);
}

type Headline = ReportData['accuracies'][number];
const withHeadline = (row: Headline | undefined, words: (row: Headline) => string) =>
  row === undefined ? '–' : words(row);
