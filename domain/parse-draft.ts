import { answerAfter } from './parse-answer.ts';
import type { Answer, DataReport, Draft, Generated, Question } from './records.ts';

/** `questions`: what the student asks, one line, null when it asks nothing. */
export type ParsedDraft = { answer: Answer | null; questions: string | null; strict: boolean };

const answerLabel = /answer[*_]{0,3} {0,4}[:=-]/i;
const questionsLabel = /^[\s*_#>-]{0,8}questions?[*_]{0,3} {0,4}[:=-][*_]{0,3}\s*/i;
const strictAnswer = /^Answer: (?:Yes|No) - \S/;
const strictQuestions = /^Questions: \S/;

/**
 * Reads `Answer: <Yes/No> - <why>` and `Questions: …? …?`, leniently: case, bold, quotes, text before. The first answer
 * counts, since what a student writes after its draft is no longer the draft. A draft without the label that begins with
 * yes or no counts too. Strict: exactly these two lines, the second ending with a question mark.
 */
export function parseDraft(text: string): ParsedDraft {
  const lines = text.trim().split(/\r?\n/);
  const labelled = lines.find((line) => answerLabel.test(line));
  const stated =
    labelled === undefined ? (lines[0] ?? '') : labelled.slice(labelled.search(answerLabel) + 'answer'.length);
  const asked = lines.find((line) => line.length < 10_000 && questionsLabel.test(line));
  const questions = asked?.replace(questionsLabel, '').trim() ?? '';
  const strict =
    lines.length === 2 &&
    strictAnswer.test(lines[0] ?? '') &&
    strictQuestions.test(lines[1] ?? '') &&
    (lines[1] ?? '').endsWith('?');
  return { answer: answerAfter(stated), questions: questions === '' ? null : questions, strict };
}

/** What the model generated, with what could be read from it. */
export const draftOf = (generated: Generated): Draft => ({ ...generated, ...parseDraft(generated.text) });

/** Quality of a set of drafts; `lenient` = readable, but not in the asked form. */
export function draftReport(
  drafts: readonly Draft[],
  questions: readonly Question[],
): NonNullable<DataReport['drafts']> {
  const truth = new Map(questions.map((question) => [question.id, question.answer]));
  return {
    n: drafts.length,
    truncated: drafts.filter((draft) => draft.finish === 'length').length,
    unparsable: drafts.filter((draft) => draft.answer === null).length,
    lenient: drafts.filter((draft) => draft.answer !== null && !draft.strict).length,
    correct: drafts.filter((draft) => draft.answer !== null && draft.answer === truth.get(draft.id)).length,
  };
}

/** The draft as it stands in a prompt: without the white space that generation begins and ends with. */
export const draftText = (draft: { text: string }): string => draft.text.trim();
