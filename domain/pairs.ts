import { isReadable } from './agreement.ts';
import { invalid } from './invalid.ts';
import { meanOf } from './means.ts';
import { draftText } from './parse-draft.ts';
import type { Answer, DataReport, DataStep, Draft, PreferencePair, Question, TeacherResponse } from './records.ts';
import { responseCompletion, taught } from './corpora.ts';
import { countByAnswer } from './sampling.ts';
import { sortedById } from './shuffle.ts';
import { fillTemplate } from './templates.ts';
import type { Templates } from './templates.ts';

/** What the preferred side is: the teacher's final assessment alone, or its whole response. */
export type ChosenText = 'final-answer' | 'full-response';

export type BuiltPairs = { rows: PreferencePair[]; steps: DataStep[]; report: NonNullable<DataReport['pairs']> };

/** The final assessment of the specification; what the evaluation reads, so every completion keeps this form. */
export const finalAssessment = (answer: Answer): string =>
  `## Final Assessment\nBased on this analysis, the answer is: **${answer.toUpperCase()}**`;

const other = (answer: Answer): Answer => (answer === 'yes' ? 'no' : 'yes');

/** `3. Is #2 greater than #1? Yes.` → `… No.` */
function flipConclusion(line: string, answer: Answer): string {
  const end = line.trimEnd().replace(/\.$/, '');
  if (!end.toLowerCase().endsWith(` ${answer}`)) return line;
  return `${end.slice(0, -answer.length)}${answer === 'yes' ? 'No' : 'Yes'}.`;
}

/**
 * The same text with the opposite final answer: everything from the last line that names the final assessment on is
 * replaced (a text without one gets one), and so is the answer that the last step of the reasoning ends with. The rest
 * stays, so the pair differs in its conclusion alone.
 */
export function flipAnswer(text: string, answer: Answer): string {
  const lines = text.trimEnd().split('\n');
  const heading = lines.findLastIndex((line) => line.toLowerCase().includes('final assessment'));
  const reasoning = (heading < 0 ? lines : lines.slice(0, heading)).join('\n').trimEnd().split('\n');
  const concluded = [...reasoning.slice(0, -1), flipConclusion(reasoning.at(-1) ?? '', answer)].join('\n');
  return `${concluded}\n\n${finalAssessment(other(answer))}`.trimStart();
}

function pairOf(
  { id, question, answer: truth }: Question,
  draft: Draft,
  response: TeacherResponse,
  templates: Pick<Templates, 'reasoning'>,
  chosenText: ChosenText,
  options: { trainOnReasoning?: boolean },
): PreferencePair {
  const chosen = chosenText === 'final-answer' ? finalAssessment(truth) : taught(response, options).trim();
  const wrong = draft.answer !== null && draft.answer !== truth;
  return {
    id,
    prompt: fillTemplate(templates.reasoning, { question, draft: draftText(draft) }),
    chosen: responseCompletion(chosen),
    rejected: responseCompletion(wrong ? draftText(draft) : flipAnswer(chosen, truth)),
    origin: wrong ? 'wrong-draft' : 'flipped',
  };
}

const pairKey = ({ prompt, chosen, rejected }: PreferencePair): string => JSON.stringify([prompt, chosen, rejected]);

/** The first agreeing attempt of each question. */
function agreeingResponses(responses: readonly TeacherResponse[]): Map<string, TeacherResponse> {
  const valid = responses
    .filter((row) => row.class === 'valid' && isReadable(row))
    .sort((a, b) => b.attempt - a.attempt);
  // Later entries win, so the lowest attempt of each question is what stays.
  return new Map(valid.map((row) => [row.id, row]));
}

/**
 * Preference pairs, in order of question id. Prompt = the reasoning prompt; chosen = the first response that agrees with
 * the truth (its final assessment, or all of it); rejected = the draft when its answer is wrong, else (right or
 * unreadable draft) the chosen text with the opposite final answer. Questions without an agreeing response make no pair;
 * equal pairs are kept once and counted.
 *
 * @throws InvalidData when a question has no draft or no pair is left
 */
export function preferencePairs(
  questions: readonly Question[],
  drafts: readonly Draft[],
  responses: readonly TeacherResponse[],
  templates: Pick<Templates, 'reasoning'>,
  chosenText: ChosenText,
  options: { trainOnReasoning?: boolean } = {},
): BuiltPairs {
  const draftById = new Map(drafts.map((draft) => [draft.id, draft]));
  const responseById = agreeingResponses(responses);
  const lost: Question[] = [];
  const made = sortedById(questions).flatMap((question) => {
    const draft = draftById.get(question.id);
    if (draft === undefined) throw invalid('InvalidData', `question ${question.id} has no draft`);
    const response = responseById.get(question.id);
    if (response !== undefined)
      return [{ question, pair: pairOf(question, draft, response, templates, chosenText, options) }];
    lost.push(question);
    return [];
  });
  const seen = new Set<string>();
  const kept = made.filter(({ pair }) => !seen.has(pairKey(pair)) && seen.add(pairKey(pair)));
  if (kept.length === 0) {
    throw invalid(
      'InvalidData',
      `no preference pair: no response to ${questions.length} questions agrees with the truth`,
    );
  }
  const keptSet = new Set(kept);
  const repeated = made.filter((entry) => !keptSet.has(entry)).map(({ question }) => question);
  const removed = [
    { reason: 'no agreeing response', counts: countByAnswer(lost) },
    { reason: 'duplicate', counts: countByAnswer(repeated) },
  ].filter(({ counts }) => counts.yes + counts.no > 0);
  const after = countByAnswer(kept.map(({ question }) => question));
  const rows = kept.map(({ pair }) => pair);
  return {
    rows,
    steps: [{ name: 'pairs', before: countByAnswer(questions), after, removed }],
    report: pairReport(rows, repeated.length),
  };
}

const pairReport = (rows: readonly PreferencePair[], duplicates: number): BuiltPairs['report'] => ({
  n: rows.length,
  flipped: rows.filter(({ origin }) => origin === 'flipped').length,
  duplicates,
  meanChosenChars: meanOf(rows.map(({ chosen }) => chosen.length)),
  meanRejectedChars: meanOf(rows.map(({ rejected }) => rejected.length)),
});
