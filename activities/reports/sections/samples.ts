import { html } from '../html.ts';
import type { Html } from '../html.ts';
import type { ReportData, Sample } from '../report-data.ts';
import { section } from './section.ts';

const kindWords: Record<Sample['kind'], string> = {
  gained: 'Wrong at first, right in the end',
  lost: 'Right at first, wrong in the end',
  'both right': 'Right both times',
  'both wrong': 'Wrong both times',
  unparsable: 'No answer could be read',
};

/** What the models wrote, word for word. The first questions of each kind in file order; nobody picked them. */
export function samplesSection(data: ReportData): Html {
  if (data.samples.length === 0) return html``;
  return section(
    'samples',
    'What the models wrote',
    'The first held-out questions of each kind in the order of the file: nobody chose them.',
    html`${data.samples.map(sample)}`,
  );
}

function sample({ kind, question, truth, draft, answers }: Sample, index: number): Html {
  return html`<details class="sample" ${index === 0 ? 'open' : ''}>
    <summary>
      <span class="kind">${kindWords[kind]}</span> <span class="question">${question}</span>
      <span class="truth">truth: ${truth}</span>
    </summary>
    ${
      draft === null
        ? null
        : html`<div class="answer">
            <p class="by">Student draft</p>
            <pre>${draft}</pre>
          </div>`
    }
    ${answers.map(
      ({ evaluation, answer, correct, finish, text, cut }) =>
        html`<div class="answer">
          <p class="by">
            ${evaluation}
            <span class="badge ${correct ? 'pass' : 'fail'}">${answer ?? 'no answer'}</span
            >${finish === 'length' ? html` <span class="badge unsure">truncated</span>` : null}
          </p>
          <pre>${text === '' ? '(nothing)' : text}${cut ? '\n[cut here; the whole text is in the artefact]' : ''}</pre>
        </div>`,
    )}
  </details>`;
}
