import { describe, expect, it } from 'vitest';
import { gainPasses, sharePasses } from '../../domain/gate-power.ts';
import type { GateCriterion } from '../../domain/gate-types.ts';
import { judgeCriteria } from '../../domain/gate-verdict.ts';
import { verdictOf } from '../../domain/rulings.ts';
import type { EvaluatedItem } from '../../domain/records.ts';
import { idOf } from './rows.ts';

/** Falls in [0, 1) from a linear congruential generator: enough for counting how often a rule passes. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** `n` items of which those for which `correct` holds were answered rightly. */
const items = (n: number, correct: (index: number) => boolean): EvaluatedItem[] =>
  Array.from({ length: n }, (_, i) => {
    const right = correct(i);
    return { id: idOf(i), truth: 'yes', answer: right ? 'yes' : 'no', correct: right, finish: 'stop', text: '' };
  });

/**
 * Shares of 10,000 gates that pass, as judged and by the interval alone. Gates of equal counts are judged once.
 *
 * @param draw counts of one gate
 * @param judge its verdict from items that have these counts
 */
function passRates(draw: () => string, judge: (counts: string) => { verdict: string; low: number; atLeast: number }) {
  const gates = 10_000;
  const seen = new Map<string, number>();
  for (let i = 0; i < gates; i += 1) {
    const counts = draw();
    seen.set(counts, (seen.get(counts) ?? 0) + 1);
  }
  let [passed, cleared] = [0, 0];
  for (const [counts, times] of seen) {
    const { verdict, low, atLeast } = judge(counts);
    if (verdict === 'pass') passed += times;
    if (verdictOf({ low, high: 1 }, atLeast) === 'pass') cleared += times;
  }
  return { passed: passed / gates, cleared: cleared / gates };
}

describe('10,000 simulated gates at the threshold', () => {
  it('a share: at most 2.5 % pass', () => {
    const random = generator(1);
    const criterion: GateCriterion = { metric: 'accuracy', atLeast: 0.6, confidence: 0.95 };
    const rates = passRates(
      () => String(Array.from({ length: 100 }, random).filter((fall) => fall < 0.6).length),
      (right) => {
        const [verdict] = judgeCriteria([criterion], { candidate: items(100, (i) => i < Number(right)) });
        return { verdict: verdict?.verdict ?? '', low: verdict?.low ?? 0, atLeast: 0.6 };
      },
    );
    expect(rates.passed).toBeLessThanOrEqual(0.025);
    expect(rates.passed).toBeGreaterThan(0.015);
  });
  it('a paired gain with few discordant items: at most 2.5 % pass, where the interval alone passes more', () => {
    const random = generator(2);
    const criterion: GateCriterion = { metric: 'gain', over: 'phaseA', atLeast: 0.03, confidence: 0.95 };
    const n = 200;
    const rates = passRates(
      () => {
        const falls = Array.from({ length: n }, random);
        const won = falls.filter((fall) => fall < 0.035).length;
        return `${won} ${falls.filter((fall) => fall < 0.04).length - won}`;
      },
      (counts) => {
        const [won = 0, lost = 0] = counts.split(' ').map(Number);
        const [verdict] = judgeCriteria([criterion], {
          candidate: items(n, (i) => i < won || i >= won + lost),
          phaseA: items(n, (i) => i >= won),
        });
        return { verdict: verdict?.verdict ?? '', low: verdict?.low ?? 0, atLeast: 0.03 };
      },
    );
    expect(rates.cleared).toBeGreaterThan(0.025);
    expect(rates.passed).toBeLessThanOrEqual(0.025);
    expect(rates.passed).toBeGreaterThan(0.01);
  });
});

describe('every outcome enumerated', () => {
  it.each([50, 100, 200])('n = %i: no threshold passes more than 2.5 % at it, one look or three', (n) => {
    for (const looks of [1, 3]) {
      const error = 0.025 / looks;
      for (const atLeast of [0.5, 0.6, 0.85])
        expect(sharePasses(n, { atLeast, confidence: 0.95, looks }, atLeast)).toBeLessThanOrEqual(error);
      for (const atLeast of [0.03, 0.1]) {
        const passes = gainPasses(n, { atLeast, confidence: 0.95, looks });
        for (const discordant of [0.101, 0.2]) expect(passes({ gain: atLeast, discordant })).toBeLessThanOrEqual(error);
      }
    }
  });
  it('power grows with the items and with the effect', () => {
    const asked = { atLeast: 0.07, confidence: 0.95, looks: 1 };
    const power = (n: number, gain: number) => gainPasses(n, asked)({ gain, discordant: 0.25 });
    expect(power(300, 0.12)).toBeLessThan(power(687, 0.12));
    expect(power(300, 0.12)).toBeLessThan(power(300, 0.17));
    expect(power(687, 0.12)).toBeCloseTo(0.77, 1);
  });
});
