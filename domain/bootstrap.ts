import { firstThat, regionChance } from './exact-tests.ts';
import type { Interval, PairedCounts } from './statistics.ts';

/**
 * Paired percentile bootstrap of a gain: items are drawn anew with replacement, both models' answers with them. Of items
 * only the three outcomes count, so the distribution over all resamples is a trinomial and is taken whole: what a
 * simulation approaches with ever more resamples, without a seed (Efron and Tibshirani 1993, chapter 13).
 */
export function bootstrapInterval(counts: PairedCounts, confidence: number): Interval {
  const { onlyNew, onlyOld, n } = counts;
  if (n === 0) return { estimate: Number.NaN, low: -1, high: 1 };
  const chances = { onlyNew: onlyNew / n, onlyOld: onlyOld / n, same: (n - onlyNew - onlyOld) / n };
  /** Chance that a resample has more than `difference` items in favour of the new model. */
  const above = (difference: number): number => regionChance(n, chances, (row) => row + difference + 1);
  const quantile = (share: number): number => firstThat((difference) => above(difference) <= 1 - share, -n, n) / n;
  const tail = (1 - confidence) / 2;
  return { estimate: (onlyNew - onlyOld) / n, low: quantile(tail), high: quantile(1 - tail) };
}
