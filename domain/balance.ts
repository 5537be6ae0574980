import { invalid } from './invalid.ts';
import type { Answer, Balance, DataStep, SftRow } from './records.ts';
import { countByAnswer } from './sampling.ts';
import { shuffled, sortedById } from './shuffle.ts';

/** A training row with the answer it teaches. */
export type LabelledRow = { id: string; answer: Answer; row: SftRow };

function upsample(rows: LabelledRow[], seed: number): LabelledRow[] {
  const counts = countByAnswer(rows);
  const rarer: Answer = counts.yes < counts.no ? 'yes' : 'no';
  const pool = shuffled(sortedById(rows.filter(({ answer }) => answer === rarer)), seed);
  const missing = Math.abs(counts.yes - counts.no);
  // Every row of the rarer class comes equally often, up to one.
  const repeats = Array.from({ length: missing }, (_, i) => pool[i % pool.length] as LabelledRow);
  return [...rows, ...repeats];
}

function weighted(rows: LabelledRow[]): LabelledRow[] {
  const counts = countByAnswer(rows);
  return rows.map((labelled) => ({
    ...labelled,
    row: { ...labelled.row, weight: rows.length / (2 * counts[labelled.answer]) },
  }));
}

/**
 * Balances the answers that a corpus teaches. `upsample` repeats rows of the rarer class until both are as many (which
 * rows, by seed); `weighted-loss` weighs rows by the inverse of their class's share, with mean 1.
 *
 * @returns the step for the data report (its `after` is larger than `before` when rows were repeated); null for `none`
 * @throws InvalidData when a class has no row
 */
export function balanceRows(
  rows: LabelledRow[],
  balance: Balance,
  seed: number,
): { rows: LabelledRow[]; step: DataStep | null } {
  if (balance === 'none') return { rows, step: null };
  const before = countByAnswer(rows);
  if (before.yes === 0 || before.no === 0) {
    const lacking = before.yes === 0 ? 'yes' : 'no';
    throw invalid(
      'InvalidData',
      `no row with answer ${lacking} is left, so there is nothing to ${balance}; filter less`,
    );
  }
  const balanced = balance === 'upsample' ? upsample(rows, seed) : weighted(rows);
  return { rows: balanced, step: { name: balance, before, after: countByAnswer(balanced), removed: [] } };
}
