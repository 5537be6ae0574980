import { describe, expect, it } from 'vitest';
import { readCurve } from '../../../activities/reports/training-curve.ts';

function* steps(n: number, more: object = {}) {
  for (let step = 1; step <= n; step += 1)
    yield { event: 'step', step, loss: step % 2 === 0 ? 1 : 3, tokens: step * 10, tokensPerSecond: 100, ...more };
}

describe('reading a curve', () => {
  it('keeps a short one as it is', async () => {
    const curve = await readCurve([...steps(3, { margin: 0.5 }), { event: 'eval', step: 3, epoch: 1, loss: 1.5 }]);
    expect(curve.points.map(({ step, loss, margin }) => [step, loss, margin])).toEqual([
      [1, 3, 0.5],
      [2, 1, 0.5],
      [3, 3, 0.5],
    ]);
    expect(curve).toMatchObject({
      steps: 3,
      tokens: 30,
      tokensPerSecond: 100,
      evals: [{ step: 3, loss: 1.5 }],
      unreadable: 0,
    });
  });

  it('holds a million rows in a few hundred points, with true means and extremes', async () => {
    const curve = await readCurve(steps(1_000_000));
    expect(curve.steps).toBe(1_000_000);
    expect(curve.points.length).toBeGreaterThan(100);
    expect(curve.points.length).toBeLessThanOrEqual(400);
    expect(curve.points.reduce((sum, { steps: n }) => sum + n, 0)).toBe(1_000_000);
    for (const { loss, low, high } of curve.points.slice(0, -1)) {
      expect(loss).toBeCloseTo(2);
      expect([low, high]).toEqual([1, 3]);
    }
  });

  it('takes a step that comes again after a resume once', async () => {
    const curve = await readCurve([...steps(4), ...steps(6)]);
    expect(curve.points.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it('counts what is no step instead of failing', async () => {
    const curve = await readCurve([
      null,
      7,
      { event: 'alive' },
      { event: 'step', step: 1, loss: Number.NaN },
      ...steps(1),
    ]);
    expect(curve).toMatchObject({ steps: 1, unreadable: 4 });
  });
});
