import { sourceLines, total } from '../../../domain/data-report.ts';
import { share } from '../../../domain/figures.ts';
import type { DataReport, DataStep, ResponseClass } from '../../../domain/records.ts';
import { attemptLabel } from '../charts/accuracy-chart.ts';
import { html } from '../html.ts';
import type { Html } from '../html.ts';
import { count } from '../quantities.ts';
import type { ReportData } from '../report-data.ts';
import { balanceBar } from './balance-bar.ts';
import { section, table } from './section.ts';
import { responseTables } from './teacher-responses.ts';

/** Class balance before and after every step, what each removed and why, and how good drafts and responses were. */
export function dataSection(data: ReportData): Html {
  const groups: [string, DataReport][] = [
    ...(data.data.prepared === null ? [] : [['Questions', data.data.prepared] as [string, DataReport]]),
    ...data.phases.map(({ phase, attempt, round, dataReport }): [string, DataReport] => [
      `Corpus of ${attemptLabel(phase, attempt, round)}`,
      dataReport,
    ]),
  ];
  if (groups.length === 0) return html``;
  return section(
    'data',
    'Data',
    'Share of yes before and after every step, and what each step took away. A filter that removes one class more than the other teaches the model an answer.',
    html`${sourceWords(data)} ${balanceTable(groups)} ${qualityTables(data)} ${pairsTable(groups)}`,
  );
}

function sourceWords({ data: { prepared } }: ReportData): Html {
  if (!prepared?.source) return html``;
  return html`${sourceLines(prepared.source).map((line) => html`<p>${line}.</p>`)}`;
}

function removedWords({ before, after, removed }: DataStep): Html {
  const some = removed.filter(({ counts }) => total(counts) > 0);
  const added = { yes: Math.max(0, after.yes - before.yes), no: Math.max(0, after.no - before.no) };
  if (some.length === 0 && total(added) > 0)
    return html`added ${count(total(added))} <span class="of">${count(added.yes)} yes / ${count(added.no)} no</span>`;
  if (some.length === 0) return html`<span class="empty">nothing</span>`;
  return html`${some.map(
    ({ reason, counts }, index) =>
      html`${index === 0 ? '' : '; '}${count(total(counts))} ${reason}
        <span class="of">${count(counts.yes)} yes / ${count(counts.no)} no</span>`,
  )}`;
}

function balanceTable(groups: [string, DataReport][]): Html {
  const rows = groups.flatMap(([name, report]) =>
    report.steps.map((step, index) => [
      html`${index === 0 ? html`<span class="group">${name}</span>` : null}${step.name}`,
      balanceBar(step.before),
      balanceBar(step.after),
      removedWords(step),
    ]),
  );
  if (rows.length === 0) return html``;
  return table(
    [{ title: 'step' }, { title: 'before' }, { title: 'after' }, { title: 'removed or added' }],
    rows,
    'Class balance before and after each step',
  );
}

const classWords: Record<ResponseClass, string> = {
  valid: 'agree with the truth',
  disagreed: 'disagree',
  unparsable: 'unparsable',
  truncated: 'truncated',
  refused: 'refused',
  failed: 'failed',
};

const part = (some: number, n: number) => (some === 0 ? '0' : share(some, n));

function qualityTables(data: ReportData): Html {
  const { drafts, responses } = data.data;
  const quality = drafts.map((draft) => [
    `Student drafts, ${draft.set}`,
    count(draft.n),
    share(draft.correct, draft.n),
    share(draft.truncated, draft.n),
    share(draft.unparsable, draft.n),
    share(draft.lenient, draft.n),
  ]);
  const draftColumns = [
    { title: 'drafts' },
    ...['n', 'right', 'truncated', 'unparsable', 'read leniently'].map((title) => ({ title, number: true })),
  ];
  const shown = responses ? (Object.keys(classWords) as ResponseClass[]) : [];
  const n = responses?.n ?? 0;
  return html`${quality.length === 0 ? null : table(draftColumns, quality, 'Quality of the drafts')}
  ${
    responses
      ? html`<h3>
            Teacher
            responses${data.teacher?.simulated ? html` <span class="badge simulated">simulated teacher</span>` : null}
          </h3>
          ${table(
            [
              { title: 'teacher' },
              { title: 'n', number: true },
              ...shown.map((name) => ({ title: classWords[name], number: true })),
              { title: 'read leniently', number: true },
            ],
            [
              [
                data.teacher?.name ?? 'teacher',
                count(n),
                ...shown.map((name) => part(responses.byClass[name], n)),
                part(responses.lenient, n),
              ],
            ],
            'Teacher responses by class',
          )}
          ${responseTables(responses)}`
      : null
  }`;
}

/** Chosen minus rejected: where chosen texts are longer throughout, length alone can be what is learnt. */
const gapWords = (characters: number) =>
  `${characters > 0 ? '+' : characters < 0 ? '−' : ''}${count(Math.abs(characters))}`;

function pairsTable(groups: [string, DataReport][]): Html {
  const rows = groups.flatMap(([name, { pairs }]) =>
    pairs === undefined
      ? []
      : [
          [
            name,
            count(pairs.n),
            share(pairs.flipped, pairs.n),
            count(pairs.duplicates),
            count(pairs.meanChosenChars),
            count(pairs.meanRejectedChars),
            gapWords(pairs.meanChosenChars - pairs.meanRejectedChars),
          ],
        ],
  );
  if (rows.length === 0) return html``;
  const titles = [
    'pairs',
    'flipped (draft was right)',
    'duplicates dropped',
    'characters chosen',
    'characters rejected',
    'length gap',
  ];
  return html`<h3>Preference pairs</h3>
    ${table([{ title: 'corpus' }, ...titles.map((title) => ({ title, number: true }))], rows, 'Preference pairs')}`;
}
