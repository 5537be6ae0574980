import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { detectableMean, itemsForMean, meanAboveP, meanInterval, meanP, sampleOf } from '../../domain/means.ts';

type Row = Record<'threshold' | 'confidence' | 'low' | 'high' | 'p' | 'above', number> & { values: number[] };
/** Made by fixtures/make_means_fixture.py with scipy. */
const rows = JSON.parse(readFileSync(new URL('fixtures/means.json', import.meta.url), 'utf8')) as Row[];

describe('means by Student’s t', () => {
  it('are those of scipy on two hundred random samples', () => {
    expect(rows).toHaveLength(200);
    const differences = rows.flatMap(({ values, threshold, confidence, low, high, p, above }) => {
      const sample = sampleOf(values);
      const interval = meanInterval(sample, confidence, [-Infinity, Infinity]);
      return [
        interval.low - low,
        interval.high - high,
        meanP(sample, threshold) - p,
        meanAboveP(sample, threshold) - above,
      ];
    });
    expect(Math.max(...differences.map(Math.abs))).toBeLessThan(1e-9);
  });

  it('one number says nothing, equal numbers everything', () => {
    expect(meanInterval(sampleOf([0.3]), 0.95, [0, 1])).toEqual({ estimate: 0.3, low: 0, high: 1 });
    expect([meanP(sampleOf([0.3]), 0.2), meanAboveP(sampleOf([0.3]), 0.2)]).toEqual([1, 1]);
    const equal = sampleOf([0.5, 0.5, 0.5]);
    expect(meanInterval(equal, 0.95, [0, 1])).toEqual({ estimate: 0.5, low: 0.5, high: 0.5 });
    expect([meanP(equal, 0.5), meanAboveP(equal, 0.2), meanAboveP(equal, 0.5)]).toEqual([1, 0, 1]);
  });

  it('an interval ends where nothing is possible any more', () => {
    expect(meanInterval(sampleOf([0.01, 0.02, 0.3]), 0.95, [0, 1]).low).toBe(0);
    expect(meanInterval(sampleOf([0.01, 0.02, 0.3]), 0.95, [-1, 1]).low).toBeLessThan(0);
  });

  it('as many items as would settle it make what is left just detectable', () => {
    const sample = { n: 24, mean: 0.23, deviation: 0.12 };
    const items = itemsForMean(sample, 0.2, 0.95) ?? 0;
    expect(detectableMean({ ...sample, n: items }, 0.95)).toBeLessThanOrEqual(0.03);
    expect(detectableMean({ ...sample, n: items - 1 }, 0.95)).toBeGreaterThan(0.03);
    expect(itemsForMean({ ...sample, mean: 0.2 }, 0.2, 0.95)).toBeNull();
  });
});
