import type { Sha256 } from './canonical.ts';
import { invalid } from './invalid.ts';
import type { Answer, ClassCounts, Question } from './records.ts';
import { shuffled, sortedById } from './shuffle.ts';

export const countByAnswer = (rows: readonly { answer: Answer | null }[]): ClassCounts => ({
  yes: rows.filter((row) => row.answer === 'yes').length,
  no: rows.filter((row) => row.answer === 'no').length,
});

/** Parts of `total` in proportion to the classes, largest remainder first; ties go to `yes`. Sums to `total`. */
export function allocate(available: ClassCounts, total: number): ClassCounts {
  const all = available.yes + available.no;
  const exact = (total * available.yes) / all;
  const floor = Math.floor(exact);
  const yesRemainder = exact - floor;
  // Of two classes at most one row is left over, and it goes to the larger remainder.
  const yes = yesRemainder >= 0.5 ? floor + 1 : floor;
  return { yes, no: total - yes };
}

/**
 * Draws `samples` rows, each label in proportion to its share. The same rows whatever the order of the input.
 *
 * @returns rows in order of id
 * @throws InvalidData when there are no rows, fewer than asked, or a label has none
 */
export function stratifiedSample<Row extends { id: string; answer: Answer }>(
  rows: readonly Row[],
  samples: number,
  seed: number,
): Row[] {
  if (rows.length === 0) throw invalid('InvalidData', 'the data set is empty: no question to sample from');
  if (samples > rows.length) {
    throw invalid(
      'InvalidData',
      `${samples} samples asked, but there are ${rows.length} questions; lower data.samples`,
    );
  }
  const available = countByAnswer(rows);
  const wanted = allocate(available, samples);
  const sorted = sortedById(rows);
  const drawn = (['yes', 'no'] as const).flatMap((answer, offset) => {
    if (available[answer] === 0 || wanted[answer] === 0) {
      throw invalid(
        'InvalidData',
        `${samples} samples of ${available.yes} yes and ${available.no} no questions leave none with answer ${answer}; both are needed`,
      );
    }
    const pool = sorted.filter((row) => row.answer === answer);
    return shuffled(pool, seed * 2 + offset).slice(0, wanted[answer]);
  });
  return sortedById(drawn);
}

const trimmable = /[\p{P}\p{S}\s]/u;

/** Lower case, white space collapsed, punctuation trimmed from both ends: what counts as the same question. */
export function normaliseQuestion(question: string): string {
  const text = question.toLowerCase().replaceAll(/\s+/g, ' ');
  let start = 0;
  let end = text.length;
  // By code unit: half of a pair is neither punctuation nor space, so none is cut in two.
  while (start < end && trimmable.test(text.charAt(start))) start++;
  while (end > start && trimmable.test(text.charAt(end - 1))) end--;
  return text.slice(start, end);
}

/**
 * Whether a question belongs to the held-out set: by its own hash, so that it stays there in every run, whatever else
 * the data holds, and repeated questions land on one side.
 *
 * @param share fraction held out
 */
export const heldOut = (question: string, share: number, sha256: Sha256): boolean =>
  Number.parseInt(sha256(normaliseQuestion(question)).slice(0, 8), 16) / 2 ** 32 < share;

/** Splits by question hash; both sides in input order. */
export function splitQuestions(
  questions: readonly Question[],
  evaluationShare: number,
  sha256: Sha256,
): { train: Question[]; evaluation: Question[] } {
  const train: Question[] = [];
  const evaluation: Question[] = [];
  for (const row of questions) (heldOut(row.question, evaluationShare, sha256) ? evaluation : train).push(row);
  return { train, evaluation };
}

/** At most `limit` held-out questions, stratified; −1 takes all. In order of id. */
export const limitEvaluation = (questions: readonly Question[], limit: number, seed: number): Question[] =>
  limit < 0 || limit >= questions.length ? sortedById(questions) : stratifiedSample(questions, limit, seed);
