import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  binomialP,
  detectableGain,
  detectableShare,
  holm,
  itemsForGain,
  itemsForShare,
  mcnemarP,
  pairedInterval,
  wilson,
} from '../../domain/statistics.ts';

type Table = {
  n: number;
  successes: number;
  onlyNew: number;
  onlyOld: number;
  confidence: number;
  expected: number;
  wilson: [number, number];
  binomialP: number;
  mcnemarP: number;
  paired: [number, number];
};
type Fixture = { tables: Table[]; holm: { p: number[]; adjusted: number[] }[] };

/** Made by fixtures/make_statistics_fixture.py with scipy and statsmodels. */
const fixture = JSON.parse(readFileSync(new URL('fixtures/statistics.json', import.meta.url), 'utf8')) as Fixture;

const worst = (errors: number[]): number =>
  errors.reduce((most, error) => Math.max(most, Number.isNaN(error) ? Infinity : Math.abs(error)), 0);
const worstOver = (difference: (table: Table) => number): number => worst(fixture.tables.map(difference));

describe('against scipy and statsmodels, on a thousand random tables', () => {
  it('has the tables', () => {
    expect(fixture.tables).toHaveLength(1000);
  });
  it('Wilson interval', () => {
    expect(worstOver((t) => wilson(t.successes, t.n, t.confidence).low - t.wilson[0])).toBeLessThan(1e-9);
    expect(worstOver((t) => wilson(t.successes, t.n, t.confidence).high - t.wilson[1])).toBeLessThan(1e-9);
  });
  it('exact binomial test', () => {
    expect(worstOver((t) => binomialP(t.successes, t.n, t.expected) - t.binomialP)).toBeLessThan(1e-9);
  });
  it('exact McNemar test', () => {
    expect(worstOver((t) => mcnemarP(t) - t.mcnemarP)).toBeLessThan(1e-9);
  });
  it('Tango interval of a paired gain', () => {
    expect(worstOver((t) => pairedInterval(t, t.confidence).low - t.paired[0])).toBeLessThan(1e-9);
    expect(worstOver((t) => pairedInterval(t, t.confidence).high - t.paired[1])).toBeLessThan(1e-9);
  });
  it('Holm adjustment', () => {
    for (const { p, adjusted } of fixture.holm) {
      expect(worst(holm(p).map((value, i) => (value ?? NaN) - (adjusted[i] ?? NaN)))).toBeLessThan(1e-9);
    }
  });
});

describe('published examples', () => {
  it('Wilson: the reference run', () => {
    const a = wilson(408, 687, 0.95);
    expect([a.estimate, a.low, a.high].map((x) => x.toFixed(3))).toEqual(['0.594', '0.557', '0.630']);
  });
  it('Tango: airway hyper-responsiveness (1, 7 of 21) and contact lenses (0, 1 of 44)', () => {
    const airway = pairedInterval({ onlyNew: 1, onlyOld: 7, n: 21 }, 0.95);
    expect([airway.low.toFixed(3), airway.high.toFixed(3)]).toEqual(['-0.517', '-0.026']);
    const lenses = pairedInterval({ onlyNew: 0, onlyOld: 1, n: 44 }, 0.95);
    expect([lenses.low.toFixed(3), lenses.high.toFixed(3)]).toEqual(['-0.118', '0.059']);
  });
});

describe('edges', () => {
  it('no items leave everything open', () => {
    expect(wilson(0, 0, 0.95)).toMatchObject({ low: 0, high: 1 });
    expect(pairedInterval({ onlyNew: 0, onlyOld: 0, n: 0 }, 0.95)).toMatchObject({ low: -1, high: 1 });
    expect([binomialP(0, 0, 0.5), mcnemarP({ onlyNew: 0, onlyOld: 0, n: 9 })]).toEqual([1, 1]);
    expect([detectableShare(0, 0.6, 0.95), detectableGain({ onlyNew: 0, onlyOld: 0, n: 0 }, 0.95)]).toEqual([1, 1]);
  });
  it('intervals touch their ends exactly', () => {
    expect(wilson(0, 50, 0.95).low).toBe(0);
    expect(wilson(50, 50, 0.95).high).toBe(1);
    expect(pairedInterval({ onlyNew: 9, onlyOld: 0, n: 9 }, 0.95).high).toBe(1);
    expect(pairedInterval({ onlyNew: 0, onlyOld: 9, n: 9 }, 0.95).low).toBe(-1);
  });
  it('Holm leaves out what was not tested', () => {
    expect(holm([0.01, null, 0.04])).toEqual([0.02, null, 0.04]);
  });
});

/** Falls in [0, 1) from a linear congruential generator: enough for counting how often a rule passes. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

describe('planning', () => {
  const draw = (random: () => number, n: number, gain: number, loss: number) => {
    const counts = { onlyNew: 0, onlyOld: 0, n };
    for (let i = 0; i < n; i++) {
      const u = random();
      if (u < loss + gain) counts.onlyNew += 1;
      else if (u < 2 * loss + gain) counts.onlyOld += 1;
    }
    return counts;
  };
  const passes = (runs: number, one: () => boolean): number =>
    Array.from({ length: runs }, one).filter(Boolean).length / runs;

  it('at the threshold a share passes in about 2.5 % of 10,000 gates', () => {
    const random = generator(1);
    const rate = passes(10_000, () => wilson(draw(random, 687, 0.6, 0).onlyNew, 687, 0.95).low >= 0.6);
    expect(rate).toBeGreaterThan(0.018);
    expect(rate).toBeLessThan(0.0295);
  });
  it('at the threshold a paired gain passes in about 2.5 % of 10,000 gates', () => {
    const random = generator(2);
    const rate = passes(10_000, () => pairedInterval(draw(random, 300, 0.07, 0.1), 0.95).low >= 0.07);
    expect(rate).toBeGreaterThan(0.018);
    expect(rate).toBeLessThan(0.0295);
  });
  it('a detectable share is shown with about 80 % power', () => {
    const random = generator(3);
    const true_ = 0.6 + detectableShare(687, 0.6, 0.95);
    expect(true_ - 0.6).toBeCloseTo(0.052, 3);
    const power = passes(4000, () => wilson(draw(random, 687, true_, 0).onlyNew, 687, 0.95).low >= 0.6);
    expect(Math.abs(power - 0.8)).toBeLessThan(0.03);
  });
  it('a detectable gain is shown with about 80 % power', () => {
    const random = generator(4);
    const gain = detectableGain({ onlyNew: 60, onlyOld: 30, n: 300 }, 0.95);
    const power = passes(4000, () => pairedInterval(draw(random, 300, gain, (0.3 - gain) / 2), 0.95).low >= 0);
    expect(Math.abs(power - 0.8)).toBeLessThan(0.03);
  });
  it('50 items show little: ± 14 points', () => {
    const { low, high } = wilson(25, 50, 0.95);
    expect(((high - low) / 2).toFixed(2)).toBe('0.13');
    expect(detectableShare(50, 0.5, 0.95)).toBeGreaterThan(0.18);
  });
  it('items that settle: as planned for, and none when the estimate is the threshold', () => {
    const needed = itemsForShare(0.65, 0.6, 0.95) ?? 0;
    const random = generator(5);
    const power = passes(3000, () => wilson(draw(random, needed, 0.65, 0).onlyNew, needed, 0.95).low >= 0.6);
    expect(Math.abs(power - 0.8)).toBeLessThan(0.03);
    expect(itemsForShare(0.6, 0.6, 0.95)).toBeNull();
    expect(itemsForGain({ onlyNew: 0, onlyOld: 0, n: 0 }, 0.07, 0.95)).toBeNull();
    expect(itemsForGain({ onlyNew: 60, onlyOld: 30, n: 300 }, 0.1, 0.95)).toBeNull();
    expect(itemsForGain({ onlyNew: 60, onlyOld: 30, n: 300 }, 0.03, 0.95)).toBeGreaterThan(300);
  });
});
