import { describe, expect, it } from 'vitest';
import { estimateCost } from '../../domain/estimate.ts';
import type { PricedRecipe } from '../../domain/estimate.ts';
import { priceOf, priceProblem } from '../../domain/prices.ts';

const recipe: PricedRecipe = {
  data: { samples: 200 },
  drafts: { maxNewTokens: 100 },
  teacher: { model: 'gpt-4.1-nano', maxTokens: 400 },
  phaseB: { filtering: 'drop-disagreements', consensusAttempts: 5 },
  templates: { teacherSystem: 's'.repeat(400), teacherUser: 'u'.repeat(40) },
  budget: { gpuHourUsd: 0.5 },
  plan: { hours: { A: 2, B: 2, C: 3 } },
};

describe('estimateCost', () => {
  it('is calls × tokens × price, plus the planned GPU-hours', () => {
    const estimate = estimateCost(recipe);
    // In: 110 template tokens + 40 of the question + 100 of the draft; out: 400.
    const usd = (200 * (250 * 0.1 + 400 * 0.4)) / 1e6;
    expect(estimate).toEqual({
      teacherCalls: 200,
      teacherUsd: expect.closeTo(usd, 12) as number,
      teacherPriced: true,
      gpuHours: 7,
      gpuUsd: 3.5,
      totalUsd: expect.closeTo(usd + 3.5, 12) as number,
    });
  });
  it('consensus asks several times', () => {
    const consensus = { ...recipe, phaseB: { filtering: 'consensus', consensusAttempts: 5 } } as const;
    expect(estimateCost(consensus).teacherUsd).toBeCloseTo(5 * estimateCost(recipe).teacherUsd, 12);
  });
  it('batches cost half', () => {
    const batch = { ...recipe, teacher: { ...recipe.teacher, mode: 'batch' } } as const;
    expect(estimateCost(batch).teacherUsd).toBeCloseTo(estimateCost(recipe).teacherUsd / 2, 12);
    expect(estimateCost(batch, { simulated: true }).teacherUsd).toBe(0);
  });
  it('takes measured hours and a free simulated teacher', () => {
    expect(estimateCost(recipe, { gpuHours: 0.1, simulated: true })).toMatchObject({
      teacherUsd: 0,
      teacherPriced: true,
      gpuHours: 0.1,
      totalUsd: 0.05,
    });
  });
  it('says when there is no price', () => {
    expect(estimateCost({ ...recipe, teacher: { model: 'own-7b', maxTokens: 1 } })).toMatchObject({
      teacherPriced: false,
      teacherUsd: 0,
    });
  });
});

describe('prices', () => {
  it('own before table, dated names as their family', () => {
    expect(priceOf('gpt-4.1-nano-2025-04-14', undefined)).toEqual({
      inputPerMillionUsd: 0.1,
      outputPerMillionUsd: 0.4,
    });
    expect(priceOf('gpt-4.1-nano', { inputPerMillionUsd: 9, outputPerMillionUsd: 9 })).toEqual({
      inputPerMillionUsd: 9,
      outputPerMillionUsd: 9,
    });
    expect(priceOf('own-7b', undefined)).toBeNull();
  });
  it('an unknown model needs a price or free', () => {
    expect(priceProblem('own-7b', undefined)).toContain("give inputPerMillionUsd and outputPerMillionUsd, or 'free'");
    expect([priceProblem('own-7b', 'free'), priceProblem('gpt-4o', undefined)]).toEqual([null, null]);
  });
});
