import { attemptLabel } from '../charts/accuracy-chart.ts';
import { fieldOf, linesChart, seriesColours } from '../charts/curve-charts.ts';
import type { Series } from '../charts/curve-charts.ts';
import { chart } from '../charts/render.ts';
import { html } from '../html.ts';
import type { Html } from '../html.ts';
import { count, duration, significant } from '../quantities.ts';
import type { PhaseReport, ReportData } from '../report-data.ts';
import type { TrainingCurve } from '../training-curve.ts';
import { legend, section, table } from './section.ts';

type Trained = PhaseReport & { curve: TrainingCurve };
const hasCurve = (phase: PhaseReport): phase is Trained => (phase.curve?.points.length ?? 0) > 0;
const hasMargins = (phase: Trained) => phase.curve.points.some(({ margin }) => margin !== undefined);
const colour = (index: number) => seriesColours[index % seriesColours.length] ?? 'var(--accent)';

/** Loss curves of every attempt; for DPO also margins, log-probs and the share of pairs that come out the right way round. */
export async function trainingSection(data: ReportData): Promise<Html> {
  if (data.phases.length === 0) return html``;
  const trained = data.phases.filter(hasCurve);
  const plots: Html[] = [];
  for (const phase of ['A', 'B'] as const) {
    const attempts = trained.filter((attempt) => attempt.phase === phase);
    if (attempts.length > 0) plots.push(await lossPlot(`Phase ${phase}`, attempts));
  }
  for (const attempt of trained.filter((candidate) => candidate.phase === 'C')) {
    plots.push(await lossPlot(`Phase ${attemptLabel('C', attempt.attempt, attempt.round)}`, [attempt]));
    if (hasMargins(attempt)) plots.push(await preferencePlots(attempt));
  }
  return section(
    'training',
    'Training',
    'Loss per optimizer step; long runs are averaged over neighbouring steps. A dashed line is the loss on held-out rows.',
    html`<div class="plots">${plots}</div>
      ${summaryTable(data.phases)}
      ${data.phases.map(({ problem }) => (problem === null ? html`` : html`<p class="note">${problem}</p>`))}`,
  );
}

async function lossPlot(title: string, attempts: Trained[]): Promise<Html> {
  const series = attempts.flatMap((attempt, index): Series[] => {
    const name = attemptLabel(attempt.phase, attempt.attempt, attempt.round);
    const held = attempt.curve.evals.map(({ step, loss }) => ({ step, value: loss }));
    return [
      { name, colour: colour(index), points: fieldOf(attempt.curve, 'loss') },
      ...(held.length === 0 ? [] : [{ name: `${name}, held out`, colour: colour(index), dash: [5, 4], points: held }]),
    ];
  });
  const unit = attempts[0]?.phase === 'C' ? 'loss, nats per pair' : 'loss, nats per token';
  return plot(`${title}: loss`, series, unit, {});
}

async function preferencePlots(attempt: Trained): Promise<Html> {
  const { curve } = attempt;
  const one = (name: string, field: 'margin' | 'accuracy'): Series => ({
    name,
    colour: colour(0),
    points: fieldOf(curve, field),
  });
  const logps: Series[] = [
    { name: 'chosen', colour: colour(0), points: fieldOf(curve, 'chosenLogp') },
    { name: 'rejected', colour: colour(1), points: fieldOf(curve, 'rejectedLogp') },
  ];
  return html`${await plot('Reward margin', [one('margin', 'margin')], 'β · (h chosen − h rejected), nats', { reference: 0 })}
  ${await plot('Log-probabilities of the pairs', logps, 'mean summed log-prob, nats', {})}
  ${await plot('Pairs the right way round', [one('accuracy', 'accuracy')], 'share with a positive margin', { reference: 0.5, format: '.0%' })}`;
}

async function plot(
  title: string,
  series: Series[],
  unit: string,
  options: { reference?: number; format?: string },
): Promise<Html> {
  return html`<div class="plot">
    <h3>${title}</h3>
    ${legend(series)}${await chart(linesChart(series, unit, options), title, { wide: 430 })}
  </div>`;
}

function summaryTable(phases: PhaseReport[]): Html {
  const titles = [
    'rows',
    'steps',
    'mean loss',
    'lowest held-out loss',
    'tokens',
    'tokens/s',
    'device time',
    'times cut off',
    'steps redone',
  ];
  const rows = phases.map(
    ({ phase, attempt, round, rows: corpusRows, steps, trainLoss, curve, gpuSeconds, losses, stepsRedone }) => [
      attemptLabel(phase, attempt, round),
      count(corpusRows),
      count(steps),
      trainLoss === null ? '–' : significant(trainLoss, 3),
      curve && curve.evals.length > 0 ? significant(Math.min(...curve.evals.map(({ loss }) => loss)), 3) : '–',
      curve?.tokens ? count(curve.tokens) : '–',
      curve?.tokensPerSecond ? count(curve.tokensPerSecond) : '–',
      duration(gpuSeconds),
      count(losses),
      count(stepsRedone),
    ],
  );
  const note = phases.some(({ losses }) => losses > 0)
    ? 'Cut off: the host was preempted or failed. The work went on from its last whole checkpoint; only the steps after that were done again.'
    : 'No training was cut off.';
  return html`${table([{ title: 'phase' }, ...titles.map((title) => ({ title, number: true }))], rows, 'Training in numbers')}
    <p class="note">${note}</p>
    ${phases.map(inexactNote)}`;
}

const inexactNote = ({ phase, attempt, round, inexact }: PhaseReport): Html =>
  inexact === undefined
    ? html``
    : html`<p class="note">
        ${attemptLabel(phase, attempt, round)} is not bit for bit what a training that nothing interrupted would give:
        ${inexact}.
      </p>`;
