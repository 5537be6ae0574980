import type { JudgedPair, PairVerdict } from './judging.ts';
import type { Question } from './records.ts';
import { shuffled, sortedById } from './shuffle.ts';
import { wilson } from './statistics.ts';
import type { Interval } from './statistics.ts';

/** A pair of texts to be judged; `known` where the right verdict is known. */
export type PairToJudge = Pick<JudgedPair, 'id' | 'question' | 'before' | 'after' | 'known'>;

/**
 * Pairs with known answers, from the data itself: the steps into which a question's author broke it down, against those
 * of another question. The question's own are better, whatever their length; they are `after` in every other pair.
 *
 * @param most pairs; fewer where the data has no more questions whose steps differ
 */
export function calibrationPairs(questions: readonly Question[], most: number, seed: number): PairToJudge[] {
  const cycle = shuffled(sortedById(questions.filter(({ decomposition }) => decomposition.length > 0)), seed);
  const fitting = cycle.flatMap((question, index) => {
    const other = cycle[(index + 1) % cycle.length] ?? question;
    const differ =
      question.decomposition.some((step) => !other.decomposition.includes(step)) &&
      other.decomposition.some((step) => !question.decomposition.includes(step));
    return differ ? [{ question, own: question.decomposition.join(' '), foreign: other.decomposition.join(' ') }] : [];
  });
  return fitting.slice(0, most).map(({ question: { id, question }, own, foreign }, index) => {
    const known = index % 2 === 0 ? 'win' : 'loss';
    return { id, question, known, before: known === 'win' ? foreign : own, after: known === 'win' ? own : foreign };
  });
}

/** How often the judge found each verdict where each is known; `unjudged` had none. */
export type Calibration = {
  table: Record<'win' | 'loss', Record<PairVerdict, number>>;
  unjudged: number;
  flipped: number;
};

/** @param pairs with `known` */
export function calibrationOf(pairs: readonly JudgedPair[]): Calibration {
  const count = (known: PairVerdict, verdict: PairVerdict): number =>
    pairs.filter((pair) => pair.known === known && pair.verdict === verdict).length;
  const row = (known: PairVerdict) => ({
    win: count(known, 'win'),
    loss: count(known, 'loss'),
    tie: count(known, 'tie'),
  });
  return {
    table: { win: row('win'), loss: row('loss') },
    unjudged: pairs.filter(({ verdict }) => verdict === null).length,
    flipped: pairs.filter(({ flipped }) => flipped !== null).length,
  };
}

/** Share of known answers that the judge found; a tie and no verdict are wrong. Wilson. */
export function agreement(
  { table: { win, loss }, unjudged }: Calibration,
  confidence: number,
): Interval & { n: number; right: number } {
  const n = win.win + win.loss + win.tie + loss.win + loss.loss + loss.tie + unjudged;
  const right = win.win + loss.loss;
  return { ...wilson(right, n, confidence), n, right };
}

/**
 * Cohen's kappa over win, loss and tie (Cohen 1960): agreement beyond what the shares of each would give by chance.
 * Null where chance alone agrees fully, or nothing was judged.
 */
export function cohenKappa({ table: { win, loss } }: Pick<Calibration, 'table'>): number | null {
  const sum = (row: Record<PairVerdict, number>): number => row.win + row.loss + row.tie;
  const n = sum(win) + sum(loss);
  const expected = (sum(win) * (win.win + loss.win) + sum(loss) * (win.loss + loss.loss)) / (n * n);
  return n === 0 || expected === 1 ? null : ((win.win + loss.loss) / n - expected) / (1 - expected);
}
