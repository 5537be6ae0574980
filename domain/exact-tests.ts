import binomialCdf from '@stdlib/stats-base-dists-binomial-cdf';
import { fallingRoot, gainScore } from './statistics.ts';
import type { Interval, PairedCounts } from './statistics.ts';

/**
 * One-sided tests against a gate's threshold whose error is bounded for every size of sample, not only in the limit as
 * with the intervals of statistics.ts. A gate passes only where both agree (gate-verdict.ts, docs/gates.md).
 */

/** p of `successes` or more of n where the true share is `threshold`: the exact binomial test of "at most that much". */
export function shareAboveP(successes: number, n: number, threshold: number): number {
  if (threshold <= 0) return 0;
  if (threshold >= 1 || successes === 0) return 1;
  return 1 - binomialCdf(successes - 1, n, threshold);
}

/** p of the exact conditional McNemar test, one-sided: `onlyNew` or more of the discordant items where the gain is 0. */
function mcnemarAboveP({ onlyNew, onlyOld }: PairedCounts): number {
  return onlyNew === 0 ? 1 : 1 - binomialCdf(onlyNew - 1, onlyNew + onlyOld, 0.5);
}

/** Chance with which the true share of `onlyOld` may lie outside of what is searched; added to p (Berger and Boos 1994). */
const leftOut = 0.001;
/** Shares of `onlyOld` tried between the ends of its interval, evenly on the root's scale: five to a standard deviation. */
const tried = 33;
/** Terms of a sum below this share of it are left out. */
const negligible = 1e-14;

const logFactorials: number[] = [0];
function logFactorial(k: number): number {
  for (let i = logFactorials.length; i <= k; i += 1) logFactorials.push((logFactorials[i - 1] ?? 0) + Math.log(i));
  return logFactorials[k] ?? Number.NaN;
}

const times = (count: number, log: number): number => (count === 0 ? 0 : count * log);

/** Chances of the three outcomes of a pair. */
export type Outcomes = { onlyNew: number; onlyOld: number; same: number };

/**
 * P(onlyNew ≥ `atLeast` and onlyOld = `onlyOld`) among n pairs: one row of a trinomial. Summed from its largest term
 * outwards by the ratio of neighbours, until terms are negligible: nothing underflows that counts.
 */
function rowTail(n: number, onlyOld: number, atLeast: number, chances: Outcomes): number {
  const rest = n - onlyOld;
  if (atLeast > rest) return 0;
  // Without ties every other pair is one that onlyNew counts.
  const first = chances.same <= 0 ? rest : Math.max(0, atLeast);
  const odds = chances.onlyNew / chances.same;
  const mode = chances.same <= 0 ? rest : Math.floor((rest + 1) * (chances.onlyNew / (chances.onlyNew + chances.same)));
  const start = Math.max(first, Math.min(rest, mode));
  const largest = Math.exp(
    logFactorial(n) -
      logFactorial(onlyOld) -
      logFactorial(start) -
      logFactorial(rest - start) +
      times(onlyOld, Math.log(chances.onlyOld)) +
      times(start, Math.log(chances.onlyNew)) +
      times(rest - start, Math.log(chances.same)),
  );
  let sum = largest;
  for (let k = start + 1, term = largest; k <= rest && term > sum * negligible; k += 1) {
    term *= ((rest - k + 1) / k) * odds;
    sum += term;
  }
  for (let k = start, term = largest; k > first && term > sum * negligible; k -= 1) {
    term *= k / ((rest - k + 1) * odds);
    sum += term;
  }
  return sum;
}

/** Smallest whole number from `from` to `to` for which `holds`, which stays true from there on; `to + 1` for none. */
export function firstThat(holds: (value: number) => boolean, from: number, to: number): number {
  let [low, high] = [from, to + 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (holds(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Clopper–Pearson interval of a share, from the binomial distribution function. */
function exactInterval(successes: number, n: number, confidence: number): Interval {
  const tail = (1 - confidence) / 2;
  return {
    estimate: successes / n,
    low: successes === 0 ? 0 : fallingRoot((p) => binomialCdf(successes - 1, n, p) - (1 - tail), 0, 1),
    high: successes === n ? 1 : fallingRoot((p) => binomialCdf(successes, n, p) - tail, 0, 1),
  };
}

/** Shares of `onlyOld` that go with a true gain of `gain` and that the observed one does not rule out. */
function nuisances({ onlyOld, n }: PairedCounts, gain: number): number[] {
  const { low, high } = exactInterval(onlyOld, n, 1 - leftOut);
  const [least, most] = [Math.max(0, -gain), (1 - gain) / 2];
  const [from, to] = [Math.min(most, Math.max(least, low)), Math.min(most, Math.max(least, high))].map(Math.sqrt) as [
    number,
    number,
  ];
  return Array.from({ length: tried }, (_, i) => (from + ((to - from) * i) / (tried - 1)) ** 2);
}

/**
 * p of "the true gain is at most `gain`" on the same items. Against no gain: exact McNemar. Else the exact unconditional
 * test of Tango's score statistic (Sidik 2003): the chance of a statistic at least as large, at the worst share of
 * discordant items that a 99.9 % interval leaves open, plus the 0.1 % (Berger and Boos 1994, JASA 89:1012–1016).
 * `onlyOld` alone makes that interval, so p falls with `onlyNew`, and a smaller true gain has smaller chances.
 */
export function gainAboveP(counts: PairedCounts, gain: number): number {
  const { n } = counts;
  if (gain <= -1) return 0;
  if (n === 0 || gain >= 1) return 1;
  if (gain === 0) return mcnemarAboveP(counts);
  const observed = gainScore(counts, gain);
  if (observed <= 0) return 1;
  const boundary: number[] = [];
  /** Smallest onlyNew of a row that is at least as extreme; found once, whatever the chances. */
  const atLeast = (onlyOld: number): number =>
    (boundary[onlyOld] ??= firstThat(
      (onlyNew) => gainScore({ onlyNew, onlyOld, n }, gain) >= observed - 1e-9,
      0,
      n - onlyOld,
    ));
  let worst = 0;
  for (const onlyOld of nuisances(counts, gain)) {
    const chances = { onlyNew: Math.max(0, onlyOld + gain), onlyOld, same: Math.max(0, 1 - 2 * onlyOld - gain) };
    worst = Math.max(worst, regionChance(n, chances, atLeast));
  }
  return Math.min(1, worst + leftOut);
}

/** Chance that onlyNew reaches `atLeast(onlyOld)`, over all rows that matter: 8 standard deviations around their mean. */
export function regionChance(n: number, chances: Outcomes, atLeast: (onlyOld: number) => number): number {
  const mean = n * chances.onlyOld;
  const reach = 8 * Math.sqrt(mean) + 16;
  let sum = 0;
  for (let row = Math.max(0, Math.floor(mean - reach)); row <= Math.min(n, Math.ceil(mean + reach)); row += 1)
    sum += rowTail(n, row, atLeast(row), chances);
  return sum;
}
