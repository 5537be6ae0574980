import shuffle from '@stdlib/random-shuffle';
import { invalid } from './invalid.ts';

/**
 * A shuffled copy by a Mersenne Twister (MT19937): same seed, same order, on every machine.
 *
 * @param seed integer >= 0
 */
export function shuffled<Row>(rows: readonly Row[], seed: number): Row[] {
  // The library takes seeds from 1 to 2^32 - 1.
  const order = shuffle.factory({ seed: (seed % 0xffffffff) + 1 })(rows.map((_, index) => index));
  return Array.from({ length: rows.length }, (_, i) => rows[order[i] as number] as Row);
}

const byId = (a: { id: string }, b: { id: string }): number => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);

/** Copy in order of id (code units), so that what is drawn does not depend on the order of the input. */
export const sortedById = <Row extends { id: string }>(rows: readonly Row[]): Row[] => [...rows].sort(byId);

/**
 * Gives every id another id's place: one random cycle through all of them, so nothing maps to itself.
 *
 * @returns id → id whose value it takes
 * @throws InvalidData for fewer than two ids
 */
export function derangement(ids: readonly string[], seed: number): Map<string, string> {
  if (ids.length < 2) throw invalid('InvalidData', `${ids.length} items cannot trade places; at least two are needed`);
  const cycle = shuffled([...ids].sort(), seed);
  return new Map(cycle.map((id, index) => [id, cycle[(index + 1) % cycle.length] ?? id]));
}
