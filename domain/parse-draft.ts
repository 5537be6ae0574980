import { leadingAnswer } from './answer-words.ts';
import { splitReasoning } from './reasoning.ts';
import type { Answer, DataReport, Draft, Generated, Question } from './records.ts';

/** `questions`: what the student asks, one line, null when it asks nothing. */
export type ParsedDraft = { answer: Answer | null; questions: string | null; strict: boolean };

const answerLabel = /answer[*_]{0,3} {0,4}[:=-]/i;
const questionsLabel = /^[\s*_#>-]{0,8}questions?[*_]{0,3} {0,4}[:=-][*_]{0,3}\s*/i;
const strictAnswer = /^Answer: (?:Yes|No) - \S/;
const strictQuestions = /^Questions: \S/;

/** The answer behind the label of a line. */
const labelled = (line: string): Answer | null => {
  const at = line.search(answerLabel);
  // Behind the label only: the draft of `Student's answer: …` is the same draft.
  return at < 0 ? null : (leadingAnswer(line.slice(at + 'answer'.length))?.answer ?? null);
};

/** The asked form first, then the first line with a label, then a draft that begins with yes or no. */
function draftAnswer(lines: readonly string[]): Answer | null {
  const inForm = lines.find((line) => strictAnswer.test(line) && labelled(line) !== null);
  const first = inForm ?? lines.find((line) => answerLabel.test(line));
  return first === undefined ? (leadingAnswer(lines[0] ?? '')?.answer ?? null) : labelled(first);
}

/**
 * Reads `Answer: <Yes/No> - <why>` and `Questions: …? …?`, leniently: case, bold, quotes, text before. The first answer
 * counts, since what a student writes after its draft is no longer the draft; one in the asked form counts before others.
 * A draft without the label that begins with yes or no counts too. Strict: exactly these two lines, the second ending with
 * a question mark.
 */
export function parseDraft(text: string): ParsedDraft {
  const lines = text.trim().split(/\r?\n/);
  const asked = lines.find((line) => line.length < 10_000 && questionsLabel.test(line));
  const questions = asked?.replace(questionsLabel, '').trim() ?? '';
  const answer = draftAnswer(lines);
  const strict =
    answer !== null &&
    lines.length === 2 &&
    strictAnswer.test(lines[0] ?? '') &&
    strictQuestions.test(lines[1] ?? '') &&
    (lines[1] ?? '').endsWith('?');
  return { answer, questions: questions === '' ? null : questions, strict };
}

/** What the model generated, with what could be read from it. */
export function draftOf(generated: Generated): Draft {
  const text = generated.text.toWellFormed();
  return {
    ...generated,
    text,
    ...parseDraft(draftText({ text })),
    ...(text !== generated.text && { repaired: true as const }),
  };
}

/** Quality of a set of drafts; `lenient` = readable, but not in the asked form. */
export function draftReport(
  drafts: readonly Draft[],
  questions: readonly Question[],
): NonNullable<DataReport['drafts']> {
  const truth = new Map(questions.map((question) => [question.id, question.answer]));
  const repaired = drafts.filter((draft) => draft.repaired).length;
  return {
    ...(repaired > 0 && { repaired }),
    n: drafts.length,
    truncated: drafts.filter((draft) => draft.finish === 'length').length,
    unparsable: drafts.filter((draft) => draft.answer === null).length,
    lenient: drafts.filter((draft) => draft.answer !== null && !draft.strict).length,
    correct: drafts.filter((draft) => draft.answer !== null && draft.answer === truth.get(draft.id)).length,
  };
}

/** The draft as it stands in a prompt: without its reasoning, and without the white space that generation begins and ends with. */
export const draftText = (draft: { text: string }): string => splitReasoning(draft.text).text.trim();
