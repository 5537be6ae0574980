import { describe, expect, it } from 'vitest';
import { estimateCost } from '../../domain/estimate.ts';
import type { PricedRecipe } from '../../domain/estimate.ts';
import { costUsd, priceOf, priceProblem, prices, pricesDate } from '../../domain/prices.ts';

const recipe: PricedRecipe = {
  data: { samples: 200 },
  drafts: { maxNewTokens: 100 },
  teacher: { model: 'gpt-4.1-nano', maxTokens: 400 },
  phaseB: { filtering: 'drop-disagreements', consensusAttempts: 5 },
  phaseC: { chosen: 'final-answer', rounds: 1 },
  templates: { teacherSystem: 's'.repeat(400), teacherUser: 'u'.repeat(40) },
  budget: { gpuHourUsd: 0.5 },
  plan: { hours: { A: 2, B: 2, C: 3 } },
};

/** A token of four letters. */
const countTokens = (text: string): number => Math.ceil(text.length / 4);

describe('estimateCost', () => {
  it('is calls × tokens × price, plus the planned GPU-hours', () => {
    const estimate = estimateCost(recipe, { countTokens });
    // In: 110 template tokens + 40 of the question + 12 of the format + 100 of the draft; out: 400.
    const usd = (200 * (262 * 0.1 + 400 * 0.4)) / 1e6;
    expect(estimate).toEqual({
      teacherCalls: 200,
      teacherUsd: expect.closeTo(usd, 12) as number,
      teacherPriced: true,
      judgeCalls: 0,
      judgeUsd: 0,
      pricesDate: '2026-03',
      gpuHours: 7,
      gpuUsd: 3.5,
      totalUsd: expect.closeTo(usd + 3.5, 12) as number,
    });
  });
  it('consensus asks several times', () => {
    const consensus = { ...recipe, phaseB: { filtering: 'consensus', consensusAttempts: 5 } } as const;
    expect(estimateCost(consensus, { countTokens }).teacherUsd).toBeCloseTo(
      5 * estimateCost(recipe, { countTokens }).teacherUsd,
      12,
    );
  });
  it('a later round takes its own device time, and its own calls where the pairs quote the teacher on the draft', () => {
    const rounds = (chosen: 'final-answer' | 'full-response') => ({ ...recipe, phaseC: { chosen, rounds: 3 } });
    expect(estimateCost(rounds('final-answer'), { countTokens })).toMatchObject({
      teacherCalls: 200,
      gpuHours: 2 + 2 + 3 * 3,
    });
    expect(estimateCost(rounds('full-response'), { countTokens })).toMatchObject({
      teacherCalls: 600,
      gpuHours: 2 + 2 + 3 * 3,
    });
  });
  it('batches cost half', () => {
    const batch = { ...recipe, teacher: { ...recipe.teacher, mode: 'batch' } } as const;
    const { teacherUsd } = estimateCost(recipe, { countTokens });
    expect(estimateCost(batch, { countTokens }).teacherUsd).toBeCloseTo(teacherUsd / 2, 12);
    expect(estimateCost(batch, { countTokens, simulated: true }).teacherUsd).toBe(0);
  });
  it('takes measured hours and a free simulated teacher', () => {
    expect(estimateCost(recipe, { countTokens, gpuHours: 0.1, simulated: true })).toMatchObject({
      teacherUsd: 0,
      teacherPriced: true,
      gpuHours: 0.1,
      totalUsd: 0.05,
    });
  });
  it('does not count tokens that cost nothing', () => {
    const never = () => expect.unreachable('tokens were counted');
    expect(estimateCost(recipe, { countTokens: never, simulated: true }).pricesDate).toBeNull();
  });
  it('a judge is called for every pair in every order and round, the calibration’s too', () => {
    const judge = {
      ...{ model: 'gpt-4.1-mini', maxTokens: 100, items: 200, calibrationItems: 40 },
      ...{ bothOrders: true, templates: { system: 's'.repeat(200), user: 'u'.repeat(200) } },
    };
    const { maxNewTokens } = recipe.drafts;
    const tokens = countTokens(judge.templates.system) + countTokens(judge.templates.user) + 12 + 40;
    const usd = (480 * (tokens + 2 * maxNewTokens) * 0.4 + 480 * 100 * 1.6) / 1e6;
    const judged = estimateCost({ ...recipe, judge }, { countTokens });
    expect(judged).toMatchObject({ judgeCalls: 480, judgeUsd: expect.closeTo(usd, 12) as number });
    expect(judged.totalUsd - estimateCost(recipe, { countTokens }).totalUsd).toBeCloseTo(usd, 12);
    expect(estimateCost({ ...recipe, judge: { ...judge, bothOrders: false } }, { countTokens }).judgeCalls).toBe(240);
    const rounds = { ...recipe, judge, phaseC: { ...recipe.phaseC, rounds: 2 } };
    expect(estimateCost(rounds, { countTokens }).judgeCalls).toBe(960);
    expect(estimateCost({ ...recipe, judge }, { countTokens, judgeSimulated: true }).judgeUsd).toBe(0);
    expect(estimateCost(recipe, { countTokens })).toMatchObject({ judgeCalls: 0, judgeUsd: 0 });
  });
  it('says when there is no price', () => {
    expect(estimateCost({ ...recipe, teacher: { model: 'own-7b', maxTokens: 1 } }, { countTokens })).toMatchObject({
      teacherPriced: false,
      teacherUsd: 0,
    });
  });
});

describe('prices', () => {
  it('own before table, dated names as their family', () => {
    expect(priceOf('gpt-4.1-nano-2025-04-14', undefined)).toEqual({
      inputPerMillionUsd: 0.1,
      cachedInputPerMillionUsd: 0.025,
      outputPerMillionUsd: 0.4,
      batchFactor: 0.5,
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

  it('cached input, and half of everything in a batch', () => {
    const tokens = { input: 1_000_000, cachedInput: 400_000, output: 100_000 };
    const price = { inputPerMillionUsd: 2, cachedInputPerMillionUsd: 0.5, outputPerMillionUsd: 8, batchFactor: 0.5 };
    expect(costUsd(tokens, price)).toBeCloseTo(1.2 + 0.2 + 0.8, 12);
    expect(costUsd(tokens, price, { batch: true })).toBeCloseTo((2 + 0.8) / 2, 12);
    // What a price does not say costs what it costs otherwise.
    const plain = { inputPerMillionUsd: 2, outputPerMillionUsd: 8 };
    expect([costUsd(tokens, plain), costUsd(tokens, plain, { batch: true })]).toEqual([2.8, 2.8]);
  });
  it('every model of the table has all four, none above the plain one, and the table has its date', () => {
    expect(pricesDate).toMatch(/^20\d\d-[01]\d$/);
    for (const [model, price] of Object.entries(prices)) {
      const { inputPerMillionUsd, cachedInputPerMillionUsd, outputPerMillionUsd, batchFactor } = price;
      expect(Math.min(inputPerMillionUsd, outputPerMillionUsd), model).toBeGreaterThan(0);
      expect(cachedInputPerMillionUsd, model).toBeLessThanOrEqual(inputPerMillionUsd);
      expect(batchFactor, model).toBeLessThanOrEqual(1);
    }
  });
});
