import { uniform } from '../../infra/simulated-teacher/teaching.ts';

/** Chance by a seed: the same seed, the same draws in the same order. */
export function createChance(seed: string) {
  let draws = 0;
  const share = (): number => uniform(`${seed}:${(draws += 1)}`);
  return {
    /** In [from, to). */
    between: (from: number, to: number): number => from + share() * (to - from),
    /** One of a list; what is in it twice comes twice as often. */
    of: <Item>(items: readonly [Item, ...Item[]]): Item => items[Math.floor(share() * items.length)] ?? items[0],
  };
}
