import type { JudgedPair, Judgement } from '../../../domain/judging.ts';
import { qualityLines } from '../../../domain/question-quality.ts';
import { attemptLabel } from '../charts/accuracy-chart.ts';
import { html } from '../html.ts';
import type { Html } from '../html.ts';
import type { QualityReport, ReportData } from '../report-data.ts';
import { section } from './section.ts';

/** Clarifying questions after training against before, as the judge saw them, with a pair of each kind. */
export function questionQualitySection({ questionQuality }: ReportData): Html {
  if (questionQuality.length === 0) return html``;
  return section(
    'question-quality',
    'Question quality',
    'What the trained student asks against what the bare base asked, on the same questions. A win is one of the trained student; points are wins minus losses.',
    html`${questionQuality.map(card)}`,
  );
}

const card = ({ phase, attempt, quality, pairs, problem }: QualityReport): Html =>
  html`<article class="card">
    <h3>Phase ${attemptLabel(phase, attempt)}</h3>
    <ul>
      ${qualityLines(quality).map((line) => html`<li>${line}</li>`)}
    </ul>
    ${problem === null ? null : html`<p class="note">${problem}</p>`} ${pairs.map(sample)}
    <p class="note">The first pair of each kind in the order of the file: nobody chose them.</p>
  </article>`;

const verdictWords = ({ verdict, flipped }: JudgedPair): string =>
  verdict === null ? 'no verdict' : flipped === null ? verdict : 'tie: it flipped with the order';

const sample = (pair: JudgedPair): Html =>
  html`<details class="sample">
    <summary><span class="kind">${verdictWords(pair)}</span> <span class="question">${pair.question}</span></summary>
    <div class="answer">
      <p class="by">Before</p>
      <pre>${pair.before === '' ? '(nothing)' : pair.before}</pre>
    </div>
    <div class="answer">
      <p class="by">After</p>
      <pre>${pair.after === '' ? '(nothing)' : pair.after}</pre>
    </div>
    ${pair.judgements.map(judgement)}
  </details>`;

const judgement = ({ afterFirst, said, reason, problem, error }: Judgement): Html =>
  html`<div class="answer">
    <p class="by">Judge, ${afterFirst ? 'after' : 'before'} shown first: ${said ?? problem ?? 'no verdict'}</p>
    <pre>${said === null ? (error ?? '') : reason}</pre>
  </div>`;
