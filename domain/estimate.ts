import { resolveJudgeTemplates } from './judge-prompt.ts';
import type { JudgeTemplates } from './judge-prompt.ts';
import { costUsd, priceOf } from './prices.ts';
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
  /** Of one attempt at Phase C; only where the recipe has a judge. */
  judgeCalls?: number;
  judgeUsd?: number;
  gpuHours: number;
  gpuUsd: number;
  totalUsd: number;
};

/** The parts of a recipe that cost something. */
export type PricedRecipe = {
  data: { samples: number };
  drafts: { maxNewTokens: number };
  teacher: { model: string; maxTokens: number; price?: TokenPrice | 'free' | undefined };
  judge?:
    | {
        model: string;
        maxTokens: number;
        price?: TokenPrice | 'free' | undefined;
        items: number;
        calibrationItems: number;
        bothOrders: boolean;
        templates: { [Name in keyof JudgeTemplates]?: string | undefined };
      }
    | undefined;
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
 * that the estimate is what it costs at most.
 *
 * @param measured.gpuHours from an earlier run on the same hardware; without it the plan's hours count
 * @param measured.simulated true when the simulated teacher will answer: its calls are free
 * @param measured.judgeSimulated the same of the judge
 */
export function estimateCost(
  recipe: PricedRecipe,
  measured: { gpuHours?: number; simulated?: boolean; judgeSimulated?: boolean } = {},
): CostEstimate {
  const attempts = recipe.phaseB.filtering === 'consensus' ? recipe.phaseB.consensusAttempts : 1;
  const teacherCalls = recipe.data.samples * attempts;
  const { teacherSystem, teacherUser } = resolveTemplates(recipe.templates);
  const input =
    Math.ceil((teacherSystem.length + teacherUser.length) / charactersPerToken) +
    questionTokens +
    recipe.drafts.maxNewTokens;
  const price = priceOf(recipe.teacher.model, measured.simulated === true ? 'free' : recipe.teacher.price);
  const teacherUsd =
    price === null
      ? 0
      : costUsd({ input: input * teacherCalls, output: recipe.teacher.maxTokens * teacherCalls }, price);
  const gpuHours = measured.gpuHours ?? recipe.plan.hours.A + recipe.plan.hours.B + recipe.plan.hours.C;
  const gpuUsd = gpuHours * recipe.budget.gpuHourUsd;
  const judge =
    recipe.judge && judgeEstimate(recipe.judge, recipe.drafts.maxNewTokens, measured.judgeSimulated === true);
  return {
    ...{ teacherCalls, teacherUsd, teacherPriced: price !== null, gpuHours, gpuUsd },
    ...judge,
    totalUsd: teacherUsd + (judge?.judgeUsd ?? 0) + gpuUsd,
  };
}

/** Calls = pairs × orders; tokens in: both templates, a question and two whole drafts. */
function judgeEstimate(
  judge: NonNullable<PricedRecipe['judge']>,
  draftTokens: number,
  simulated: boolean,
): { judgeCalls: number; judgeUsd: number } {
  const judgeCalls = (judge.items + judge.calibrationItems) * (judge.bothOrders ? 2 : 1);
  const { system, user } = resolveJudgeTemplates(judge.templates);
  const input = Math.ceil((system.length + user.length) / charactersPerToken) + questionTokens + 2 * draftTokens;
  const price = priceOf(judge.model, simulated ? 'free' : judge.price);
  const tokens = { input: input * judgeCalls, output: judge.maxTokens * judgeCalls };
  return { judgeCalls, judgeUsd: price === null ? 0 : costUsd(tokens, price) };
}
