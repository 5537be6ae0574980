import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { bootstrapInterval } from '../../domain/bootstrap.ts';
import { gainAboveP, shareAboveP } from '../../domain/exact-tests.ts';
import { ruleGain, ruleShare } from '../../domain/rulings.ts';

type Table = {
  n: number;
  successes: number;
  onlyNew: number;
  onlyOld: number;
  confidence: number;
  expected: number;
  aboveP: number;
  bootstrap: [number, number];
};
type Gain = { n: number; onlyNew: number; onlyOld: number; gain: number; p: number };

/** Made by fixtures/make_statistics_fixture.py with scipy, by enumeration of every table and by Fourier transform. */
const fixture = JSON.parse(readFileSync(new URL('fixtures/statistics.json', import.meta.url), 'utf8')) as {
  tables: Table[];
  gains: Gain[];
};
const worst = (errors: number[]): number =>
  errors.reduce((most, error) => Math.max(most, Number.isNaN(error) ? Infinity : Math.abs(error)), 0);

describe('against scipy', () => {
  it('one-sided binomial test, a thousand tables', () => {
    const errors = fixture.tables.map((t) => shareAboveP(t.successes, t.n, t.expected) - t.aboveP);
    expect(errors).toHaveLength(1000);
    expect(worst(errors)).toBeLessThan(1e-9);
  });
  it('paired bootstrap, a thousand tables', () => {
    const errors = fixture.tables.flatMap((t) => {
      const { low, high } = bootstrapInterval(t, t.confidence);
      return [low - t.bootstrap[0], high - t.bootstrap[1]];
    });
    expect(errors).toHaveLength(2000);
    expect(worst(errors)).toBeLessThan(1e-9);
  });
  it('exact test of a paired gain, two hundred small tables', () => {
    const errors = fixture.gains.map((t) => gainAboveP(t, t.gain) - t.p);
    expect(errors).toHaveLength(200);
    expect(worst(errors)).toBeLessThan(1e-9);
  });
});

describe('edges', () => {
  const none = { onlyNew: 0, onlyOld: 0, n: 50 };
  it('a threshold that everything or nothing reaches', () => {
    expect([shareAboveP(0, 10, 0), shareAboveP(10, 10, 1), shareAboveP(0, 10, 0.5)]).toEqual([0, 1, 1]);
    expect([gainAboveP(none, -1), gainAboveP(none, 1), gainAboveP({ ...none, n: 0 }, 0.07)]).toEqual([0, 1, 1]);
  });
  it('no discordant item shows no gain, but some that the loss is not large', () => {
    expect([gainAboveP(none, 0), gainAboveP(none, 0.07)]).toEqual([1, 1]);
    expect(gainAboveP(none, -0.1)).toBeLessThan(0.025);
    expect(bootstrapInterval(none, 0.95)).toEqual({ estimate: 0, low: 0, high: 0 });
    expect(bootstrapInterval({ ...none, n: 0 }, 0.95)).toMatchObject({ low: -1, high: 1 });
  });
  it('every item won is a gain, and every resample wins all', () => {
    const all = { onlyNew: 20, onlyOld: 0, n: 20 };
    expect(gainAboveP(all, 0.1)).toBeLessThan(0.025);
    expect(bootstrapInterval(all, 0.95)).toEqual({ estimate: 1, low: 1, high: 1 });
  });
});

describe('rulings', () => {
  const asked = { atLeast: 0.03, confidence: 0.95, looks: 1 };
  it('where the interval clears the threshold and the exact test does not, nothing is shown', () => {
    const ruling = ruleGain({ onlyNew: 22, onlyOld: 6, n: 200 }, asked);
    expect(ruling.interval.low).toBeGreaterThanOrEqual(0.03);
    expect(ruling.exact.p).toBeGreaterThan(0.025);
    expect(ruling.verdict).toBe('inconclusive');
  });
  it('more looks ask more of each', () => {
    const once = ruleShare(443, 687, { atLeast: 0.6, confidence: 0.95, looks: 1 });
    const twice = ruleShare(443, 687, { atLeast: 0.6, confidence: 0.95, looks: 2 });
    expect([once.verdict, twice.verdict]).toEqual(['pass', 'pass']);
    expect([once.exact.level, twice.exact.level].map((level) => level.toFixed(4))).toEqual(['0.0250', '0.0125']);
    const edge = { atLeast: 0.6, confidence: 0.95 };
    expect(ruleShare(438, 687, { ...edge, looks: 1 }).verdict).toBe('pass');
    expect(ruleShare(438, 687, { ...edge, looks: 2 }).verdict).toBe('inconclusive');
  });
});
