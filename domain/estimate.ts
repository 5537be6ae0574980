import { resolveJudgeTemplates } from './judge-prompt.ts';
import type { JudgeTemplates } from './judge-prompt.ts';
import { costUsd, priceOf, pricesDate } from './prices.ts';
import type { ChosenText } from './pairs.ts';
import type { OwnPrice } from './prices.ts';
import type { Filtering } from './records.ts';
import { attemptsAsked, teacherWordings } from './teacher-wordings.ts';
import type { TeacherTemplates } from './teacher-wordings.ts';

/** What a run would cost before anything is spent; what is paid by the call is an upper bound. */
export type CostEstimate = {
  teacherCalls: number;
  teacherUsd: number;
  /** False when the model's price is not known; `teacherUsd` is 0 then and must not be believed. */
  teacherPriced: boolean;
  /** Of every round of Phase C, each tried once; 0 where the recipe has no judge. */
  judgeCalls: number;
  judgeUsd: number;
  /** Of the price table; null where it was not needed. */
  pricesDate: string | null;
  gpuHours: number;
  gpuUsd: number;
  totalUsd: number;
};

/** The parts of a recipe that cost something. */
export type PricedRecipe = {
  data: { samples: number };
  drafts: { maxNewTokens: number };
  teacher: { model: string; maxTokens: number; mode?: 'live' | 'batch'; price?: OwnPrice | undefined };
  judge?:
    | {
        model: string;
        maxTokens: number;
        price?: OwnPrice | undefined;
        items: number;
        calibrationItems: number;
        bothOrders: boolean;
        templates: { [Name in keyof JudgeTemplates]?: string | undefined };
      }
    | undefined;
  phaseB: { filtering: Filtering; consensusAttempts: number };
  phaseC: { chosen: ChosenText; rounds: number };
  templates: TeacherTemplates;
  budget: { gpuHourUsd: number };
  plan: { hours: { A: number; B: number; C: number } };
};

/** A question, and what the chat format puts around two messages. */
const questionTokens = 40;
const chatTokens = 12;

/** Calls of one model, by the most tokens that one of them may take. */
export type CallPlan = {
  model: string;
  price: OwnPrice | undefined;
  calls: number;
  /** Asked only where tokens cost something, since counting takes a tokeniser. */
  inputTokens: () => number;
  outputTokens: number;
  batch: boolean;
};

/** Null when the model's price is not known. */
function usdOfCalls({ model, price: own, calls, inputTokens, outputTokens, batch }: CallPlan): number | null {
  const price = priceOf(model, own);
  if (price === null || calls === 0) return price && 0;
  const isFree = price.inputPerMillionUsd === 0 && price.outputPerMillionUsd === 0;
  return isFree ? 0 : calls * costUsd({ input: inputTokens(), output: outputTokens }, price, { batch });
}

/** What is known beyond the recipe. */
export type EstimateOptions = {
  /** Tokens of a text. */
  countTokens: (text: string) => number;
  /** From an earlier run on the same hardware; without it the plan's hours count. */
  gpuHours?: number;
  /** The simulated teacher will answer: its calls are free. */
  simulated?: boolean;
  /** The same of the judge. */
  judgeSimulated?: boolean;
};

/**
 * Calls = samples × attempts, once, and again in every later round whose pairs quote what the teacher says of the draft.
 * Tokens in: both teacher templates (of several wordings the longest), a question and a whole draft; out: the token limit, so
 * that the estimate is what it costs at most; in batches at their price, without rows that must be asked live after them.
 */
export function estimateCost(
  recipe: PricedRecipe,
  { countTokens, gpuHours: measured, simulated = false, judgeSimulated = false }: EstimateOptions,
): CostEstimate {
  const attempts = attemptsAsked(recipe.phaseB);
  const { chosen, rounds } = recipe.phaseC;
  const teacherCalls = recipe.data.samples * attempts * (chosen === 'full-response' ? rounds : 1);
  const { model, maxTokens: outputTokens, mode } = recipe.teacher;
  const teacher: CallPlan = {
    ...{
      model,
      price: simulated ? 'free' : recipe.teacher.price,
      calls: teacherCalls,
      outputTokens,
      batch: mode === 'batch',
    },
    inputTokens: () => {
      const wordings = teacherWordings(recipe.templates).map(
        ({ system, user }) => countTokens(system) + countTokens(user),
      );
      return Math.max(...wordings) + chatTokens + questionTokens + recipe.drafts.maxNewTokens;
    },
  };
  const judge = judgePlan(recipe, judgeSimulated, countTokens);
  const plans = [teacher, ...(judge ? [judge] : [])];
  const [teacherUsd = null, judgeUsd = 0] = plans.map(usdOfCalls);
  const gpuHours = measured ?? recipe.plan.hours.A + recipe.plan.hours.B + rounds * recipe.plan.hours.C;
  const gpuUsd = gpuHours * recipe.budget.gpuHourUsd;
  const judgeCalls = judge?.calls ?? 0;
  return {
    ...{ teacherCalls, teacherUsd: teacherUsd ?? 0, teacherPriced: teacherUsd !== null },
    ...{ judgeCalls, judgeUsd: judgeUsd ?? 0 },
    pricesDate: plans.some(({ price }) => price === undefined) ? pricesDate : null,
    ...{ gpuHours, gpuUsd, totalUsd: (teacherUsd ?? 0) + (judgeUsd ?? 0) + gpuUsd },
  };
}

/** Pairs × orders, in every round; tokens in: both templates, a question and two whole drafts. */
function judgePlan(
  { judge, drafts, phaseC: { rounds } }: PricedRecipe,
  simulated: boolean,
  countTokens: EstimateOptions['countTokens'],
): CallPlan | null {
  if (judge === undefined) return null;
  const { system, user } = resolveJudgeTemplates(judge.templates);
  return {
    ...{ model: judge.model, price: simulated ? 'free' : judge.price, outputTokens: judge.maxTokens, batch: false },
    calls: rounds * (judge.items + judge.calibrationItems) * (judge.bothOrders ? 2 : 1),
    inputTokens: () => countTokens(system) + countTokens(user) + chatTokens + questionTokens + 2 * drafts.maxNewTokens,
  };
}
