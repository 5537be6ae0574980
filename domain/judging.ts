import { normaliseQuestion } from './sampling.ts';
import { mcnemarP, pairedInterval, wilson } from './statistics.ts';
import type { Interval } from './statistics.ts';
import type { ResponseProblem } from './records.ts';

/**
 * Pairwise verdicts of a judge (docs/judging.md). A pair is `before` and `after`; a win is one of `after`. Each pair is
 * judged in both orders, since judges favour a place (Zheng et al. 2023, arXiv:2306.05685).
 */

export type PairVerdict = 'win' | 'loss' | 'tie';
/** What a judge says of the two texts in the order in which it sees them. */
export type Said = 'first' | 'second' | 'tie';
/** Why a judge's answer is none; `unreadable` = it came and names no verdict. */
export type JudgeProblem = ResponseProblem | 'unreadable';

/** A judge's answer to a pair in one order. `said` null = no verdict, and `problem` says why. */
export type Judgement = {
  /** Whether `after` was shown first. */
  afterFirst: boolean;
  said: Said | null;
  reason: string;
  requestDigest: string;
  inputTokens: number;
  outputTokens: number;
  costUsd: number;
  /** True when the answer came from the store and nothing was paid. */
  reused: boolean;
  problem?: JudgeProblem;
  /** Of a request that was not answered, or what could not be read. */
  error?: string;
};

/** A row of the artefact: a pair with everything that was said of it. */
export type JudgedPair = {
  id: string;
  question: string;
  before: string;
  after: string;
  beforeChars: number;
  afterChars: number;
  /** `exact` = no judge was needed, and none was asked. */
  by: 'judge' | 'exact';
  judgements: Judgement[];
  /** Null = an order has no verdict. */
  verdict: PairVerdict | null;
  /** Where the two orders disagree, which makes the verdict a tie; null = they agree, or there is one order. */
  flipped: Flip | null;
  /** What is known to be right: rows of the calibration. */
  known?: Exclude<PairVerdict, 'tie'>;
};

/** `first`, `second`: the same place won twice. `half`: one order has a winner, the other a tie. */
export type Flip = 'first' | 'second' | 'half';

/**
 * The verdict where none needs to be asked for: equal texts tie, and asking something beats asking nothing.
 *
 * @param before null or blank = the student asks nothing
 */
export function exactVerdict(before: string | null, after: string | null): PairVerdict | null {
  const [old, own] = [normaliseQuestion(before ?? ''), normaliseQuestion(after ?? '')];
  if (old === own) return 'tie';
  if (old === '' || own === '') return own === '' ? 'loss' : 'win';
  return null;
}

const verdictIn = ({ said, afterFirst }: Pick<Judgement, 'said' | 'afterFirst'>): PairVerdict | null => {
  if (said === null || said === 'tie') return said;
  return (said === 'first') === afterFirst ? 'win' : 'loss';
};

/** One verdict of one or both orders: orders that disagree make a tie. */
export function combineOrders(
  judgements: readonly Pick<Judgement, 'said' | 'afterFirst'>[],
): Pick<JudgedPair, 'verdict' | 'flipped'> {
  const verdicts = judgements.map(verdictIn);
  const [one = null, other = one] = verdicts;
  if (one === null || other === null) return { verdict: null, flipped: null };
  if (one === other) return { verdict: one, flipped: null };
  const place = judgements[0]?.said;
  return { verdict: 'tie', flipped: place === judgements[1]?.said && place !== 'tie' && place ? place : 'half' };
}

/** Counts of judged pairs; every share follows from them. */
export type PairCounts = {
  items: number;
  wins: number;
  losses: number;
  ties: number;
  /** Without a verdict, since an order has none: items = wins + losses + ties + unjudged. */
  unjudged: number;
  /** Decided without a judge. */
  exact: number;
  /** Pairs with a verdict in both orders. */
  twice: number;
  flips: Record<Flip, number>;
  /** Answers without a verdict, by kind; only kinds that occurred. */
  problems: Partial<Record<JudgeProblem, number>>;
};

export function countPairs(pairs: readonly JudgedPair[]): PairCounts {
  const count = (holds: (pair: JudgedPair) => boolean): number => pairs.filter(holds).length;
  const problems: PairCounts['problems'] = {};
  for (const { problem } of pairs.flatMap(({ judgements }) => judgements)) {
    if (problem !== undefined) problems[problem] = (problems[problem] ?? 0) + 1;
  }
  return {
    items: pairs.length,
    wins: count(({ verdict }) => verdict === 'win'),
    losses: count(({ verdict }) => verdict === 'loss'),
    ties: count(({ verdict }) => verdict === 'tie'),
    unjudged: count(({ verdict }) => verdict === null),
    exact: count(({ by }) => by === 'exact'),
    twice: count(({ judgements, verdict }) => judgements.length === 2 && verdict !== null),
    flips: {
      first: count(({ flipped }) => flipped === 'first'),
      second: count(({ flipped }) => flipped === 'second'),
      half: count(({ flipped }) => flipped === 'half'),
    },
    problems,
  };
}

/**
 * Share of wins minus share of losses, −1 to 1, with Tango's interval for gains on the same items. Pairs without a
 * verdict are in the denominator, as ties are: leaving them out would let a judge that fails on hard pairs look sure.
 */
export const winMargin = ({ wins, losses, items }: PairCounts, confidence: number): Interval =>
  pairedInterval({ onlyNew: wins, onlyOld: losses, n: items }, confidence);

/** Share of wins with ties counted half: (1 + margin) / 2. */
export function winRate(counts: PairCounts, confidence: number): Interval {
  const { estimate, low, high } = winMargin(counts, confidence);
  return { estimate: (1 + estimate) / 2, low: (1 + low) / 2, high: (1 + high) / 2 };
}

/** Sign test, exact and two-sided: wins against losses as throws of a fair coin, ties left out. */
export const signTestP = ({ wins, losses, items }: PairCounts): number =>
  mcnemarP({ onlyNew: wins, onlyOld: losses, n: items });

export const flipsOf = ({ flips }: PairCounts): number => flips.first + flips.second + flips.half;

/** Share of the pairs judged twice whose orders disagree; Wilson. */
export const flipRate = (counts: PairCounts, confidence: number): Interval =>
  wilson(flipsOf(counts), counts.twice, confidence);
