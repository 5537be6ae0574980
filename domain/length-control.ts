import { meanOf } from './means.ts';
import { zOf } from './statistics.ts';
import type { Interval } from './statistics.ts';

/**
 * The win rate that a judge would give to texts of equal length, after AlpacaEval 2 (Dubois et al. 2024,
 * arXiv:2404.04475): a logistic regression of the verdict on tanh(d / s), where d is the length of `after` minus that of
 * `before` and s the standard deviation of d, predicted at d = 0.
 */
export type LengthControl = {
  /** Pairs that a judge decided; those decided exactly say nothing about the judge. */
  n: number;
  /** Win rate of the same pairs without the control, ties counted half. */
  plain: number;
  meanDifferenceChars: number;
  /** Win rate at equal length; null where all pairs differ by about one length, which cannot be told from quality. */
  controlled: Interval | null;
  /** Log-odds that tanh = 1, a far longer `after`, adds. */
  slope: number | null;
};

export type LengthPair = { beforeChars: number; afterChars: number; verdict: 'win' | 'loss' | 'tie' };

const outcome = { win: 1, tie: 0.5, loss: 0 } as const;

const deviation = (values: readonly number[]): number => {
  const centre = meanOf(values);
  return Math.sqrt(meanOf(values.map((value) => (value - centre) ** 2)));
};
/** Lengths that differ less on tanh's scale, where differences are near ±1, are one length. */
const leastSpread = 1e-3;

/**
 * Fits {@link LengthControl}; null without pairs. Ties are half a win and half a loss, which makes the interval wider,
 * not narrower.
 */
export function controlLength(pairs: readonly LengthPair[], confidence: number): LengthControl | null {
  const differences = pairs.map(({ beforeChars, afterChars }) => afterChars - beforeChars);
  const outcomes = pairs.map(({ verdict }) => outcome[verdict]);
  if (pairs.length === 0) return null;
  const base = { n: pairs.length, plain: meanOf(outcomes), meanDifferenceChars: meanOf(differences) };
  const spread = deviation(differences);
  const xs = differences.map((d) => (d === 0 ? 0 : Math.tanh(d / spread)));
  if (deviation(xs) < leastSpread && xs.some((x) => x !== 0)) return { ...base, controlled: null, slope: null };
  const { intercept, slope, interceptError } = fitLogistic(xs, outcomes);
  const reach = zOf(confidence) * interceptError;
  const controlled = {
    estimate: logistic(intercept),
    low: logistic(intercept - reach),
    high: logistic(intercept + reach),
  };
  return { ...base, controlled, slope };
}

const logistic = (x: number): number => 1 / (1 + Math.exp(-x));

export type LogisticFit = { intercept: number; slope: number; interceptError: number; slopeError: number };

/**
 * Logistic regression on one variable by Firth's penalised likelihood (Firth 1993, Biometrika 80:27–38; Heinze and
 * Schemper 2002): Newton steps on the score with the Jeffreys prior. Finite where the variable separates the outcomes,
 * as a judge that goes by length alone makes it do; plain maximum likelihood is not. Errors are from the information
 * at the estimate. A variable that is 0 throughout gets the slope 0.
 *
 * @param ys 0 to 1
 */
export function fitLogistic(xs: readonly number[], ys: readonly number[]): LogisticFit {
  const flat = xs.every((x) => x === 0);
  let at: [number, number] = [0, 0];
  let state = scoreAt(xs, ys, at, flat);
  for (let step = 0; step < 10_000; step += 1) {
    const [intercept, slope] = times(state.covariance, state.score);
    // No step is longer than 2: far from the maximum Newton's own can leave the region where it converges.
    const shrink = Math.min(1, 2 / Math.max(Math.abs(intercept), Math.abs(slope)));
    let next: [number, number] = at;
    let there = state;
    for (let part = shrink; part > 1e-6; part /= 2) {
      next = [at[0] + part * intercept, at[1] + part * slope];
      there = scoreAt(xs, ys, next, flat);
      if (there.likelihood >= state.likelihood - 1e-12) break;
    }
    const moved = Math.max(Math.abs(next[0] - at[0]), Math.abs(next[1] - at[1]));
    at = next;
    state = there;
    if (moved < 1e-12) break;
  }
  const [[a], [, d]] = state.covariance;
  return { intercept: at[0], slope: at[1], interceptError: Math.sqrt(a), slopeError: Math.sqrt(d) };
}

type Matrix = [[number, number], [number, number]];
const times = ([[a, b], [c, d]]: Matrix, [x, y]: [number, number]): [number, number] => [a * x + b * y, c * x + d * y];

/** Penalised log-likelihood, its score, and the inverse of the information, at given coefficients. */
function scoreAt(
  xs: readonly number[],
  ys: readonly number[],
  [intercept, slope]: [number, number],
  flat: boolean,
): { likelihood: number; score: [number, number]; covariance: Matrix } {
  const ps = xs.map((x) => logistic(intercept + slope * x));
  let [i00, i01, i11, likelihood] = [0, 0, 0, 0];
  for (const [k, x] of xs.entries()) {
    const [p = 0, y = 0] = [ps[k], ys[k]];
    const [eta, w] = [intercept + slope * x, p * (1 - p)];
    i00 += w;
    i01 += w * x;
    i11 += w * x * x;
    // log p = −log(1 + e^−η), without overflow.
    likelihood += y * eta - (Math.max(eta, 0) + Math.log1p(Math.exp(-Math.abs(eta))));
  }
  const determinant = flat ? i00 : i00 * i11 - i01 * i01;
  const covariance: Matrix = flat
    ? [
        [1 / i00, 0],
        [0, 0],
      ]
    : [
        [i11 / determinant, -i01 / determinant],
        [-i01 / determinant, i00 / determinant],
      ];
  const score: [number, number] = [0, 0];
  for (const [k, x] of xs.entries()) {
    const [p = 0, y = 0] = [ps[k], ys[k]];
    const [one, other] = times(covariance, [1, x]);
    const leverage = p * (1 - p) * (one + x * other);
    const pull = y - p + leverage * (0.5 - p);
    score[0] += pull;
    score[1] += pull * x;
  }
  return { likelihood: likelihood + Math.log(determinant) / 2, score, covariance };
}
