import { evaluationPrompts } from './evaluation.ts';
import { invalid } from './invalid.ts';
import { decidingWord } from './parse-answer.ts';
import { draftText } from './parse-draft.ts';
import type {
  Answer,
  AttributedItem,
  AttributedToken,
  AttributionSummary,
  EvaluatedItem,
  Question,
} from './records.ts';
import { shuffled, sortedById } from './shuffle.ts';
import { fillTemplate } from './templates.ts';
import type { Templates } from './templates.ts';

/** A row for the trainer: see `AttributeJob.itemsFile`. */
export type AttributionInput = {
  id: string;
  prompt: string;
  draft: [start: number, end: number][];
  answer: string;
  other: string;
};

export type AttributionInputs = {
  inputs: AttributionInput[];
  /** Of the same items, in the same order. */
  answers: { id: string; truth: Answer; answer: Answer }[];
  leftOut: AttributionSummary['leftOut'];
};

const codePoints = (text: string): number => Array.from(text).length;

/** Where the draft lies in a filled reasoning template: half-open ranges, in code points. */
export function draftRanges(template: string, question: string, draft: string): [number, number][] {
  const pieces = template.split('{draft}').map((piece) => codePoints(fillTemplate(piece, { question })));
  const length = codePoints(draft);
  let at = 0;
  return pieces.slice(0, -1).map((before, index) => {
    const start = at + before + (index === 0 ? 0 : length);
    at = start;
    return [start, start + length];
  });
}

/**
 * What is attributed: a seeded draw among the evaluated items, each as it was asked and answered. Those without a readable
 * answer or without a draft are left out and counted.
 *
 * @param evaluated the evaluation with drafts, of these questions
 * @throws InvalidData when it is of another question
 */
export function attributionInputs(
  questions: readonly Question[],
  drafts: readonly { id: string; text: string }[],
  evaluated: readonly EvaluatedItem[],
  templates: Pick<Templates, 'answer' | 'reasoning'>,
  draw: { items: number; seed: number },
): AttributionInputs {
  const drawn = sortedById(shuffled(sortedById(evaluated), draw.seed).slice(0, draw.items));
  const texts = new Map(drafts.map((draft) => [draft.id, draftText(draft)]));
  const drafted = drawn.filter(({ id }) => (texts.get(id) ?? '') !== '');
  const answered = drafted.flatMap(({ id, truth, answer, text }) => {
    const word = decidingWord(text);
    return word === null || answer === null ? [] : [{ id, truth, answer, text, word }];
  });
  const byId = new Map(questions.map((question) => [question.id, question]));
  const asked = answered.map(({ id }) => {
    const question = byId.get(id);
    if (question === undefined) throw invalid('InvalidData', `evaluated item ${id} is none of the questions`);
    return question;
  });
  const prompts = evaluationPrompts('reasoning', asked, drafts, templates, draw.seed);
  return {
    inputs: answered.map(({ id, text, word }, index) => ({
      id,
      prompt: prompts[index]?.prompt ?? '',
      draft: draftRanges(templates.reasoning, asked[index]?.question ?? '', texts.get(id) ?? ''),
      answer: text.slice(0, word.end),
      other: text.slice(0, word.start) + word.opposite,
    })),
    answers: answered.map(({ id, truth, answer }) => ({ id, truth, answer })),
    leftOut: { noAnswer: drafted.length - answered.length, noDraft: drawn.length - drafted.length },
  };
}

const massOf = (tokens: readonly AttributedToken[]): number =>
  tokens.reduce((sum, { attribution }) => sum + Math.abs(attribution), 0);

const ordinary = ({ tokens }: AttributedItem): AttributedToken[] => tokens.filter(({ special }) => !special);
const ofDraft = (tokens: readonly AttributedToken[]): AttributedToken[] => tokens.filter(({ draft }) => draft);

/** Draft tokens' share of the absolute attribution on the prompt's ordinary tokens; 0 where nothing was attributed. */
export function draftShare(item: AttributedItem): number {
  const tokens = ordinary(item);
  const mass = massOf(tokens);
  return mass === 0 ? 0 : massOf(ofDraft(tokens)) / mass;
}

/** Draft tokens' share of the prompt's ordinary tokens: what {@link draftShare} would be if all tokens counted alike. */
export function tokenShare(item: AttributedItem): number {
  const tokens = ordinary(item);
  return tokens.length === 0 ? 0 : ofDraft(tokens).length / tokens.length;
}

/** How far the attributions of an item miss the change of the score that they must sum to, as a share of their mass. */
export function completenessError(item: AttributedItem): number {
  const sum = item.tokens.reduce((all, { attribution }) => all + attribution, 0);
  const mass = massOf(item.tokens);
  return mass === 0 ? 0 : Math.abs(sum - (item.score - item.baselineScore)) / mass;
}

/** The same relative to the change itself; large where hardly anything changes. */
export function relativeError(item: AttributedItem): number {
  const sum = item.tokens.reduce((all, { attribution }) => all + attribution, 0);
  const change = item.score - item.baselineScore;
  return Math.abs(sum - change) / Math.max(Math.abs(change), Number.MIN_VALUE);
}

/** Middle value; NaN for none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  if (sorted.length % 2 === 1) return sorted[middle] ?? Number.NaN;
  return ((sorted[middle - 1] ?? Number.NaN) + (sorted[middle] ?? Number.NaN)) / 2;
}
