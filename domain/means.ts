import tCdf from '@stdlib/stats-base-dists-t-cdf';
import tQuantile from '@stdlib/stats-base-dists-t-quantile';
import type { Interval } from './statistics.ts';
import { fallingRoot, plannedPower } from './statistics.ts';

/**
 * Means of numbers per item, by Student's t. Right in the limit; for shares of skewed spread and few items its error is
 * not bounded as that of exact-tests.ts is.
 */
export type Sample = { n: number; mean: number; deviation: number };

/** Smallest and largest value that a number can have: 0 and 1 for a share, −1 and 1 for the difference of two. */
export type Range = readonly [least: number, most: number];

/** 0 for no numbers. */
export const meanOf = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);

/** Mean and standard deviation (n − 1) of some numbers; 0 where there are too few. */
export function sampleOf(values: readonly number[]): Sample {
  const n = values.length;
  const mean = meanOf(values);
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { n, mean, deviation: n < 2 ? 0 : Math.sqrt(squares / (n - 1)) };
}

/** Student's interval of a mean, cut at the ends of what is possible; all of that for fewer than two numbers. */
export function meanInterval({ n, mean, deviation }: Sample, confidence: number, [least, most]: Range): Interval {
  if (n < 2) return { estimate: mean, low: least, high: most };
  const half = (tQuantile((1 + confidence) / 2, n - 1) * deviation) / Math.sqrt(n);
  return { estimate: mean, low: Math.max(least, mean - half), high: Math.min(most, mean + half) };
}

/** p of "the true mean is at most `threshold`", one-sided; numbers that are all the same leave nothing open. */
export function meanAboveP({ n, mean, deviation }: Sample, threshold: number): number {
  if (n < 2) return 1;
  if (deviation === 0) return mean > threshold ? 0 : 1;
  return 1 - tCdf((mean - threshold) / (deviation / Math.sqrt(n)), n - 1);
}

/** p of "the true mean is `expected`", two-sided. */
export function meanP(sample: Sample, expected: number): number {
  const above = meanAboveP(sample, expected);
  return sample.n < 2 || (sample.deviation === 0 && sample.mean === expected) ? 1 : 2 * Math.min(above, 1 - above);
}

/** Sum of the quantiles that a test at this confidence and the planned power need. */
const reachOf = (n: number, confidence: number): number =>
  tQuantile((1 + confidence) / 2, n - 1) + tQuantile(plannedPower, n - 1);

/** Smallest excess over a threshold that n items of this spread show with 80 % power. */
export const detectableMean = ({ n, deviation }: Sample, confidence: number): number =>
  n < 2 ? 1 : (reachOf(n, confidence) * deviation) / Math.sqrt(n);

/** Items that would settle a mean against its threshold with 80 % power if the estimate is the truth; null = none would. */
export function itemsForMean({ n, mean, deviation }: Sample, threshold: number, confidence: number): number | null {
  const effect = Math.abs(mean - threshold);
  if (n < 2 || effect === 0) return null;
  const most = 1e9;
  const short = (items: number): number => (reachOf(items, confidence) * deviation) / Math.sqrt(items) - effect;
  return short(most) > 0 ? null : Math.ceil(fallingRoot(short, 2, most));
}
