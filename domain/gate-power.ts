import { firstThat, gainAboveP, regionChance, shareAboveP } from './exact-tests.ts';
import { levelOf } from './rulings.ts';
import type { Asked } from './rulings.ts';
import { gainScore, wilson, zOf } from './statistics.ts';

/**
 * How often a criterion passes if the truth is known: by enumeration of every outcome, not by simulation. At a truth on
 * the threshold this is the rate of false passes, beyond it the power.
 */

/** Chance that a criterion on a share passes when the true share is `truth`. */
export function sharePasses(n: number, asked: Asked, truth: number): number {
  const least = firstThat(
    (successes) =>
      wilson(successes, n, asked.confidence).low >= asked.atLeast &&
      shareAboveP(successes, n, asked.atLeast) <= levelOf(asked),
    0,
    n,
  );
  return least > n ? 0 : shareAboveP(least, n, truth);
}

/** For `n` pairs: by truth, the chance that a criterion on a gain passes. What passes is found once per row. */
export function gainPasses(n: number, asked: Asked): (truth: { gain: number; discordant: number }) => number {
  const { atLeast, confidence } = asked;
  const z = zOf(confidence);
  const rows: number[] = [];
  const leastOf = (onlyOld: number): number => {
    // By the interval first, which is cheap and the same as its score test; the exact test asks for little more.
    let onlyNew = firstThat((each) => gainScore({ onlyNew: each, onlyOld, n }, atLeast) >= z, 0, n - onlyOld);
    while (onlyNew <= n - onlyOld && gainAboveP({ onlyNew, onlyOld, n }, atLeast) > levelOf(asked)) onlyNew += 1;
    return onlyNew;
  };
  return ({ gain, discordant }) =>
    regionChance(
      n,
      { onlyNew: (discordant + gain) / 2, onlyOld: (discordant - gain) / 2, same: 1 - discordant },
      (onlyOld) => (rows[onlyOld] ??= leastOf(onlyOld)),
    );
}
