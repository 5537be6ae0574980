import {
  figure,
  percent,
  percentRange,
  points,
  pointsRange,
  pointsThreshold,
  threshold,
} from '../../../domain/figures.ts';
import type { Experiment } from '../../../domain/gate-types.ts';
import type { EvaluationMode } from '../../../domain/records.ts';
import { attemptLabel } from '../charts/accuracy-chart.ts';
import { barsChart } from '../charts/bars-chart.ts';
import { chart } from '../charts/render.ts';
import { html } from '../html.ts';
import type { Html } from '../html.ts';
import type { AttributedSample, ExperimentsReport, ReportData } from '../report-data.ts';
import { section, table, verdictBadge } from './section.ts';

const experimentNames: Record<Experiment['name'], string> = {
  'no-draft': 'Without drafts',
  'shuffled-draft': 'Drafts of other questions',
  attribution: 'Attribution',
  'question-quality': 'Question quality',
};

const armNames: Record<EvaluationMode, string> = {
  reasoning: 'own draft',
  'no-draft': 'no draft',
  'shuffled-draft': 'another question’s draft',
  direct: 'asked directly',
};

/** Whether the student learnt from asking: Phase C's validation experiments, with what the plan asks of each. */
export async function experimentsSection(data: ReportData): Promise<Html> {
  if (data.experiments.length === 0) return html``;
  const attempts: Html[] = [];
  for (const report of data.experiments) attempts.push(await attemptPart(data, report));
  return section(
    'experiments',
    'Experiments of Phase C',
    'Does the student use what it asks? The same questions with their drafts, without, and with another question’s; and how much of an answer rests on the draft. They promote nothing unless the recipe makes them a criterion.',
    html`${attempts}`,
  );
}

async function attemptPart(data: ReportData, report: ExperimentsReport): Promise<Html> {
  const { attempt, experiments, samples } = report;
  return html`${data.experiments.length > 1 ? html`<h3>Phase ${attemptLabel('C', attempt)}</h3>` : null}
    ${experimentTable(experiments)}
    <p class="note">
      p is two-sided: McNemar’s against no difference; for attribution Student’s, against what is asked or against no
      difference. Those that the plan asks something of are adjusted by Holm.
    </p>
    <div class="plots">${await armsPlot(data, report)} ${await attributionPlot(report)}</div>
    ${experiments
      .filter(({ name }) => name === 'attribution')
      .map(({ text }) => html`<p class="note">${text.charAt(0).toUpperCase() + text.slice(1)}.</p>`)}
    ${
      samples.length === 0
        ? null
        : html`<h3>What the answers rest on</h3>
            <p class="note">
              The first attributed prompts in the order of the file. The more colour, the more a token moves the answer
              given:
              <span class="token for" style="--weight: 0.6">for it</span>,
              <span class="token against" style="--weight: 0.6">against it</span>. The draft is
              <span class="token draft">underlined</span>.
            </p>
            ${samples.map(sample)}`
    }`;
}

function experimentTable(experiments: Experiment[]): Html {
  const columns = [
    { title: 'experiment' },
    { title: 'n', number: true },
    { title: 'estimate', number: true },
    { title: '95 % interval', number: true },
    { title: 'p', number: true },
    { title: 'the plan asks', number: true },
    { title: 'verdict' },
  ];
  const rows = experiments.map(({ name, measure, unit, n, estimate, low, high, p, atLeast, verdict }) => {
    const gain = unit === 'points';
    const asked = atLeast === null ? '–' : `≥ ${gain ? pointsThreshold(atLeast) : threshold(atLeast)}`;
    return [
      html`<strong>${experimentNames[name]}</strong> ${measure}`,
      String(n),
      gain ? points(estimate) : percent(estimate),
      gain ? pointsRange(low, high) : percentRange(low, high),
      p === null ? '–' : p < 0.001 ? '< 0.001' : figure(p),
      asked,
      verdict === null ? '–' : verdictBadge(verdict),
    ];
  });
  return table(columns, rows, 'Experiments of Phase C');
}

const plot = (title: string, picture: Html): Html =>
  html`<div class="plot">
    <h3>${title}</h3>
    ${picture}
  </div>`;

async function armsPlot(data: ReportData, { attempt }: ExperimentsReport): Promise<Html> {
  const rows = data.accuracies.filter((row) => row.phase === 'C' && row.attempt === attempt && row.accuracy.n > 0);
  if (rows.length === 0) return html``;
  const bars = rows.map(({ mode, accuracy: { estimate, low, high } }) => ({
    ...{ estimate, low, high, label: armNames[mode] },
    colour: mode === 'reasoning' ? 'var(--series-1)' : 'var(--series-2)',
  }));
  const references = data.majority === null ? [] : [data.majority];
  const note = data.majority === null ? '' : ` Dashed: always the commoner answer, ${percent(data.majority)}.`;
  const title = 'Accuracy by what the student is given';
  const picture = await chart(barsChart(bars, references), title, {
    wide: 430,
    note: `Share answered rightly, 95 % Wilson intervals.${note}`,
  });
  return plot(title, picture);
}

async function attributionPlot({ attribution, experiments }: ExperimentsReport): Promise<Html> {
  if (attribution === null) return html``;
  const { before, after, tokenShare } = attribution;
  const bars = [
    { ...before, label: 'before DPO', colour: 'var(--series-2)' },
    { ...after, label: 'after DPO', colour: 'var(--series-1)' },
  ];
  const asked = experiments.find(({ name, atLeast }) => name === 'attribution' && atLeast !== null)?.atLeast ?? 0;
  const title = 'Attribution on the draft';
  const picture = await chart(barsChart(bars, [asked, tokenShare]), title, {
    wide: 430,
    note: `Share of the absolute attribution, 95 % intervals. Dashed: the ${threshold(asked)} that the plan asks, and the draft’s ${percent(tokenShare)} of the prompt’s tokens.`,
  });
  return plot(title, picture);
}

function sample({ truth, answer, share, tokenShare, cut, tokens }: AttributedSample): Html {
  return html`<div class="answer">
    <p class="by">
      <span class="badge ${answer === truth ? 'pass' : 'fail'}">${answer}</span> ${percent(share)} of the attribution on
      the draft, which is ${percent(tokenShare)} of the tokens
    </p>
    <pre class="tokens">${tokens.map(tokenSpan)}${cut ? '\n[cut here; the whole prompt is in the artefact]' : ''}</pre>
  </div>`;
}

function tokenSpan({ text, draft, weight }: AttributedSample['tokens'][number]): Html {
  const kind = weight < 0 ? 'against' : 'for';
  const strength = Math.min(1, Math.abs(Number.isFinite(weight) ? weight : 0)).toFixed(2);
  return html`<span class="token ${kind}${draft ? ' draft' : ''}" style="--weight: ${strength}">${text}</span>`;
}
