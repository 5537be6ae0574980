import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { TrainerEvent } from '../../../config/trainer-job.ts';
import { createGpuMeter } from '../../../activities/training/gpu-meter.ts';
import type { GpuMeterOptions } from '../../../activities/training/gpu-meter.ts';
import type { AtCap, StopReason, Supervision } from '../../../activities/training/supervision.ts';
import { Recipe } from '../../../config/recipe.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** A GPU-second is a dollar. */
const recipe = (gpuHourUsd = 3600) =>
  Recipe.parse({ name: 'r', description: 'r', budget: { gpuHourUsd, capUsd: 100 } });

function metered(more: Partial<GpuMeterOptions> = {}) {
  const ends: { after: number; reason: StopReason }[] = [];
  const startedAt = Date.now();
  const supervision = {
    end: (reason: StopReason) => ends.push({ after: (Date.now() - startedAt) / 1000, reason }),
    report: () => undefined,
  } as unknown as Supervision;
  const meter = createGpuMeter({
    ...{ recipe: recipe(), budget: undefined, gpus: 1, earlierGpuSeconds: 0, supervision },
    stretch: { endsWith: 'save', units: 10 },
    ...more,
  });
  meter.begin();
  return { meter, ends, seconds: () => (Date.now() - startedAt) / 1000 };
}

const step = (n: number) => ({ event: 'step', step: n, totalSteps: 1000 }) as TrainerEvent;
const saved = (n: number) => ({ event: 'checkpoint', step: n, seconds: 0.5, writeSeconds: 1 }) as TrainerEvent;

/** Half a second a step, a checkpoint every ten of them. */
function train(meter: ReturnType<typeof metered>['meter'], ends: unknown[]): void {
  for (let n = 1; n <= 1000 && ends.length === 0; n += 1) {
    vi.advanceTimersByTime(500);
    meter.seen(step(n));
    if (n % 10 === 0) meter.seen(saved(n));
  }
}

describe('GPU time against the cap', () => {
  it('asks for a save while twice the last one and its step still fit', () => {
    const { meter, ends, seconds } = metered();
    train(meter, ends);
    // 2 × (0.5 s of the step + 1.5 s of the save) before the hundredth second.
    expect(ends[0]?.after).toBeGreaterThan(95.5);
    expect(ends[0]?.after).toBeLessThanOrEqual(96.5);
    const { capUsd, news } = ends[0]?.reason as AtCap;
    expect(capUsd).toBe(100);
    expect(news().cost.gpuSeconds).toBeCloseTo(seconds(), 6);
    // The start, ten steps and a save; the other 810 steps and so on.
    expect(news().nextUsd).toBeCloseTo(0.5 + 2 * 10 * 0.5 + 4, 6);
    expect(news().restUsd).toBeGreaterThan(2 * 800 * 0.5);
  });
  it('a stretch of so many seconds is as many steps as fit into it, and no more than are left', () => {
    const { meter, ends } = metered({ stretch: { endsWith: 'save', seconds: 60 } });
    train(meter, ends);
    const { news } = ends[0]?.reason as AtCap;
    expect(news().nextUsd).toBeCloseTo(0.5 + 2 * 120 * 0.5 + 4, 6);
    meter.seen(step(1000));
    expect(news().nextUsd).toBeCloseTo(news().restUsd ?? 0, 6);
  });
  it('counts what the run had spent, what earlier tries took, and every GPU', () => {
    const { meter, ends, seconds } = metered({ budget: { capUsd: 200, spentUsd: 60 }, gpus: 2, earlierGpuSeconds: 40 });
    train(meter, ends);
    // 100 dollars are 50 seconds of two GPUs.
    expect(ends[0]?.after).toBeGreaterThan(45.5);
    expect(ends[0]?.after).toBeLessThanOrEqual(46.5);
    expect(meter.gpuSeconds()).toBeCloseTo(40 + 2 * seconds(), 6);
  });
  it('a generation comes to the end of its batch', () => {
    const { meter, ends } = metered({ stretch: { endsWith: 'batch', units: 4 } });
    for (let done = 4; ends.length === 0; done += 4) {
      vi.advanceTimersByTime(2000);
      meter.seen({ event: 'generated', done, total: 4000, tokensPerSecond: 1 } as TrainerEvent);
    }
    expect(ends[0]?.after).toBeGreaterThan(95.5);
    expect(ends[0]?.after).toBeLessThanOrEqual(98);
  });
  it('begins nothing without room; on a GPU that costs nothing there always is', () => {
    const none = { budget: { capUsd: 5, spentUsd: 2 }, earlierGpuSeconds: 3 };
    expect(() => {
      metered(none).meter.demandRoom();
    }).toThrow(/budget.capUsd: the next stretch/);
    const free = metered({ ...none, recipe: recipe(0), budget: { capUsd: 0, spentUsd: 0 } });
    free.meter.demandRoom();
    train(free.meter, free.ends);
    expect(free.ends).toEqual([]);
    expect(free.meter.gpuSeconds()).toBeCloseTo(503, 6);
  });
});
