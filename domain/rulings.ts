import { bootstrapInterval } from './bootstrap.ts';
import { gainAboveP, shareAboveP } from './exact-tests.ts';
import type { Verdict } from './gate-types.ts';
import { meanAboveP, meanInterval } from './means.ts';
import type { Sample } from './means.ts';
import { pairedInterval, wilson } from './statistics.ts';
import type { Interval, PairedCounts } from './statistics.ts';

/** What a criterion asks, apart from where the counts come from. */
export type Asked = {
  /** Fraction. */
  atLeast: number;
  /** Two-sided. */
  confidence: number;
  /** How often the gate may be judged on ever more items; each time spends an equal part of the error (Bonferroni). */
  looks: number;
};

/** One-sided p of "no more than was asked", and the most that lets a gate pass. */
export type ExactTest = { p: number; level: number };

/** A verdict with all that it rests on. */
export type Ruling = { verdict: Verdict; interval: Interval; exact: ExactTest; bootstrap?: Interval };

/** Error of one look: half of what the confidence leaves, shared by the looks. 95 % and one look: 2.5 %. */
export const levelOf = ({ confidence, looks }: Pick<Asked, 'confidence' | 'looks'>): number =>
  (1 - confidence) / 2 / looks;

/** Pass: the interval clears the threshold. Fail: it rules it out. */
export const verdictOf = ({ low, high }: Pick<Interval, 'low' | 'high'>, atLeast: number): Verdict =>
  low >= atLeast ? 'pass' : high < atLeast ? 'fail' : 'inconclusive';

/**
 * Passes only where interval and exact test agree: the interval alone passes up to 3.7 % at the threshold where 2.5 % are
 * meant. Fails by the interval alone, since a false fail promotes nothing.
 */
const ruling = (interval: Interval, exact: ExactTest, atLeast: number): Ruling => {
  const byInterval = verdictOf(interval, atLeast);
  return { verdict: byInterval === 'pass' && exact.p > exact.level ? 'inconclusive' : byInterval, interval, exact };
};

/** A share against its threshold: Wilson interval and exact binomial test. */
export const ruleShare = (successes: number, n: number, asked: Asked): Ruling =>
  ruling(
    wilson(successes, n, asked.confidence),
    { p: shareAboveP(successes, n, asked.atLeast), level: levelOf(asked) },
    asked.atLeast,
  );

/** A mean share against its threshold: interval and one-sided test by Student's t, so the test is not exact. */
export const ruleMean = (sample: Sample, asked: Asked): Ruling =>
  ruling(
    meanInterval(sample, asked.confidence, [0, 1]),
    { p: meanAboveP(sample, asked.atLeast), level: levelOf(asked) },
    asked.atLeast,
  );

/** A gain on the same items: Tango interval and exact test; the paired bootstrap is shown beside them. */
export const ruleGain = (counts: PairedCounts, asked: Asked): Ruling => ({
  ...ruling(
    pairedInterval(counts, asked.confidence),
    { p: gainAboveP(counts, asked.atLeast), level: levelOf(asked) },
    asked.atLeast,
  ),
  bootstrap: bootstrapInterval(counts, asked.confidence),
});
