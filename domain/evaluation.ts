import { invalid } from './invalid.ts';
import { parseDirectAnswer, parseReasoningAnswer } from './parse-answer.ts';
import { draftText } from './parse-draft.ts';
import type { EvaluatedItem, EvaluationMode, EvaluationSummary, Generated, Question } from './records.ts';
import { splitReasoning } from './reasoning.ts';
import { derangement } from './shuffle.ts';
import { fillTemplate, withoutDraft } from './templates.ts';
import type { Templates } from './templates.ts';

/** The template that a mode asks with; its sha256 is the `templateDigest` of the evaluation. */
export function evaluationTemplate(mode: EvaluationMode, templates: Pick<Templates, 'answer' | 'reasoning'>): string {
  if (mode === 'direct') return templates.answer;
  return mode === 'no-draft' ? withoutDraft(templates.reasoning) : templates.reasoning;
}

/**
 * Prompts of an evaluation, in order of the questions. `shuffled-draft` gives every question another one's draft by
 * a cycle through all of them, drawn with `seed`.
 *
 * @param drafts needed by `reasoning` and `shuffled-draft`, by question id
 * @throws InvalidData naming a question without a draft
 */
export function evaluationPrompts(
  mode: EvaluationMode,
  questions: readonly Question[],
  drafts: readonly { id: string; text: string }[] | null,
  templates: Pick<Templates, 'answer' | 'reasoning'>,
  seed: number,
): { id: string; prompt: string }[] {
  const template = evaluationTemplate(mode, templates);
  if (mode === 'direct' || mode === 'no-draft') {
    return questions.map(({ id, question }) => ({ id, prompt: fillTemplate(template, { question }) }));
  }
  const texts = new Map((drafts ?? []).map((draft) => [draft.id, draftText(draft)]));
  const source =
    mode === 'shuffled-draft'
      ? derangement(
          questions.map(({ id }) => id),
          seed,
        )
      : null;
  return questions.map(({ id, question }) => {
    const draft = texts.get(source?.get(id) ?? id);
    if (draft === undefined)
      throw invalid('InvalidData', `question ${source?.get(id) ?? id} has no draft, which mode ${mode} needs`);
    return { id, prompt: fillTemplate(template, { question, draft }) };
  });
}

/**
 * Holds generations against the truth, paired by id. `direct` reads the first yes or no; the other modes the final
 * assessment.
 *
 * @throws InvalidData when a question has no generation
 */
export function evaluateItems(
  mode: EvaluationMode,
  questions: readonly Question[],
  generated: readonly Generated[],
): EvaluatedItem[] {
  const outputs = new Map(generated.map((output) => [output.id, output]));
  return questions.map(({ id, answer: truth }) => {
    const output = outputs.get(id);
    if (output === undefined) throw invalid('InvalidData', `question ${id} has no generation`);
    const said = splitReasoning(output.text).text;
    const { answer } = mode === 'direct' ? parseDirectAnswer(said) : parseReasoningAnswer(said);
    return { id, truth, answer, correct: answer === truth, finish: output.finish, text: output.text.toWellFormed() };
  });
}

export type EvaluationCounts = Pick<
  EvaluationSummary,
  'n' | 'correct' | 'unparsable' | 'truncated' | 'predictedYes' | 'truthYes'
>;

/** Counts of an evaluation; unparsable items are wrong, never left out. */
export const countItems = (items: readonly EvaluatedItem[]): EvaluationCounts => ({
  n: items.length,
  correct: items.filter((item) => item.correct).length,
  unparsable: items.filter((item) => item.answer === null).length,
  truncated: items.filter((item) => item.finish === 'length').length,
  predictedYes: items.filter((item) => item.answer === 'yes').length,
  truthYes: items.filter((item) => item.truth === 'yes').length,
});
