import { batchPriceOf, costUsd, priceOf } from './prices.ts';
import type { TokenPrice } from './prices.ts';
import type { Filtering } from './records.ts';
import { resolveTemplates } from './templates.ts';
import type { TemplateName } from './templates.ts';

/** What a run would cost before anything is spent; the teacher's part is an upper bound. */
export type CostEstimate = {
  teacherCalls: number;
  teacherUsd: number;
  /** False when the model's price is not known; `teacherUsd` is 0 then and must not be believed. */
  teacherPriced: boolean;
  gpuHours: number;
  gpuUsd: number;
  totalUsd: number;
};

/** The parts of a recipe that cost something. */
export type PricedRecipe = {
  data: { samples: number };
  drafts: { maxNewTokens: number };
  teacher: { model: string; maxTokens: number; mode?: 'live' | 'batch'; price?: TokenPrice | 'free' | undefined };
  phaseB: { filtering: Filtering; consensusAttempts: number };
  templates: { [Name in TemplateName]?: string | undefined };
  budget: { gpuHourUsd: number };
  plan: { hours: { A: number; B: number; C: number } };
};

/** English text has about four characters per token with the tokenisers of current models. */
const charactersPerToken = 4;
const questionTokens = 40;

/**
 * Calls = samples × attempts. Tokens in: both teacher templates, a question and a whole draft; out: the token limit, so
 * that the estimate is what it costs at most; in batches at their price, without rows that must be asked live after them.
 *
 * @param measured.gpuHours from an earlier run on the same hardware; without it the plan's hours count
 * @param measured.simulated true when the simulated teacher will answer: its calls are free
 */
export function estimateCost(
  recipe: PricedRecipe,
  measured: { gpuHours?: number; simulated?: boolean } = {},
): CostEstimate {
  const attempts = recipe.phaseB.filtering === 'consensus' ? recipe.phaseB.consensusAttempts : 1;
  const teacherCalls = recipe.data.samples * attempts;
  const { teacherSystem, teacherUser } = resolveTemplates(recipe.templates);
  const input =
    Math.ceil((teacherSystem.length + teacherUser.length) / charactersPerToken) +
    questionTokens +
    recipe.drafts.maxNewTokens;
  const live = priceOf(recipe.teacher.model, measured.simulated === true ? 'free' : recipe.teacher.price);
  const price = live !== null && recipe.teacher.mode === 'batch' ? batchPriceOf(live) : live;
  const teacherUsd =
    price === null
      ? 0
      : costUsd({ input: input * teacherCalls, output: recipe.teacher.maxTokens * teacherCalls }, price);
  const gpuHours = measured.gpuHours ?? recipe.plan.hours.A + recipe.plan.hours.B + recipe.plan.hours.C;
  const gpuUsd = gpuHours * recipe.budget.gpuHourUsd;
  return { teacherCalls, teacherUsd, teacherPriced: price !== null, gpuHours, gpuUsd, totalUsd: teacherUsd + gpuUsd };
}
