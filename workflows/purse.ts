import { log, patched } from '@temporalio/workflow';
import { ApplicationFailure, TemporalFailure } from '@temporalio/common';
import type { Recipe } from '../config/recipe.ts';
import { plusCost, roomOf, spentUsdOf } from '../domain/budget.ts';
import type { BudgetNews, BudgetRoom, Cost, Spent } from '../domain/budget.ts';
import type { ProgrammeState } from '../domain/programme.ts';
import { tellWarning } from './gate-reminders.ts';
import type { Gatekeeper } from './gatekeeper.ts';
import { orchestrator } from './tasks.ts';

/**
 * All paid work of a workflow goes through its purse (tasks.ts sees to it): teacher, judge and GPU time draw on one cap.
 * Work is done one after another, so that what each is told of the others' spending is the truth.
 */
export type Purse = {
  /**
   * @param work is told what room there is; done again when it came to the cap and the cap was raised, so it must find
   *   what it had done
   * @param costOf its whole cost, of earlier tries as well
   */
  spend: <T>(work: (room: BudgetRoom) => Promise<T>, costOf: (result: T) => Cost) => Promise<T>;
};

const nothing: Spent = { teacherUsd: 0, teacherCalls: 0, gpuSeconds: 0 };

/** Recipes of older runs lack it. */
const usualWarnShare = 0.8;

/** The purse of a run: warns when the cap is near, and at the cap opens the budget gate and waits there. */
export function runPurse(state: ProgrammeState, recipe: Recipe, gatekeeper: Gatekeeper): Purse {
  const { gpuHourUsd, capUsd, warnShare } = recipe.budget;
  const budget = (state.budget ??= { capUsd, warnings: [], reached: [] });
  const spentUsd = (): number => spentUsdOf(state.spent, gpuHourUsd);
  const pay = (cost: Cost): void => {
    state.spent = plusCost(state.spent, cost);
    const share = (warnShare as number | undefined) ?? usualWarnShare;
    const isWarned = budget.warnings.at(-1)?.capUsd === budget.capUsd;
    if (budget.capUsd === 0 || isWarned || spentUsd() < share * budget.capUsd) return;
    const warning = { at: new Date().toISOString(), spentUsd: spentUsd(), capUsd: budget.capUsd };
    budget.warnings.push(warning);
    log.warn('the cap is near', { ...warning });
    if (recipe.gates.webhook && patched('budget-warning')) {
      tellWarning(recipe.gates.webhook, warning, budget.warnings.length);
    }
  };

  /** Returns when there is room again. What the stopped work has cost counts while the gate is open, and then by itself. */
  const atTheCap = async (news: BudgetNews): Promise<void> => {
    const before = state.spent;
    pay(news.cost);
    const { run, stage, spent } = state;
    const attempt = budget.reached.length + 1;
    const about = { run, attempt, stage, capUsd: budget.capUsd, spent, gpuHourUsd, news };
    const evidence = await orchestrator.budgetEvidence(about);
    budget.reached.push(evidence);
    await orchestrator.saveState({ state });
    const decision = await gatekeeper.decide(evidence, recipe.gates);
    if (decision.choice === 'raise' && decision.capUsd !== undefined) {
      budget.capUsd = decision.capUsd;
      state.spent = before;
      return;
    }
    const kept = state.promoted
      ? `the adapter of Phase ${state.promoted.phase} stays the model`
      : 'the base stays the model';
    state.conclusion = `Stopped at the budget gate during ${stage} by ${decision.by ?? decision.source}: ${kept}.`;
    throw ApplicationFailure.nonRetryable(state.conclusion, 'BudgetStopped');
  };

  return inTurn(async (work, costOf) => {
    for (;;) {
      try {
        const result = await work({ capUsd: budget.capUsd, spentUsd: spentUsd() });
        pay(costOf(result));
        return result;
      } catch (error) {
        const news = newsOf(error);
        // A run of an older version failed here.
        if (news === null || !patched('budget-gate')) throw error;
        await atTheCap(news);
      }
    }
  });
}

/**
 * The purse of a phase, which knows what it spends itself. At the cap the phase fails with that; its parent has the gate,
 * and runs the phase again after a raise: what is finished is found in S3, what is not goes on from its checkpoint.
 *
 * @param room absent in phases that an older version started
 */
export function phasePurse(recipe: Pick<Recipe, 'budget'>, room: BudgetRoom | undefined): Purse {
  let spent = nothing;
  const { capUsd, spentUsd } = roomOf(recipe, room);
  return inTurn(async (work, costOf) => {
    try {
      const result = await work({ capUsd, spentUsd: spentUsd + spentUsdOf(spent, recipe.budget.gpuHourUsd) });
      spent = plusCost(spent, costOf(result));
      return result;
    } catch (error) {
      const news = newsOf(error);
      if (news === null) throw error;
      const whole: BudgetNews = { ...news, cost: plusCost(spent, news.cost) };
      throw ApplicationFailure.nonRetryable('The phase came to the cap.', 'BudgetExceeded', { budget: whole });
    }
  });
}

/** Whether the run ends because that was decided at the budget gate. */
export const isBudgetStop = (error: unknown): boolean =>
  error instanceof ApplicationFailure && error.type === 'BudgetStopped';

function inTurn(spend: Purse['spend']): Purse {
  let last: Promise<unknown> = Promise.resolve();
  return {
    spend: (work, costOf) => {
      const mine = last.then(() => spend(work, costOf));
      last = mine.catch(() => undefined);
      return mine;
    },
  };
}

/** What work at the cap says; null for every other failure. */
function newsOf(error: unknown): BudgetNews | null {
  for (let at = error; at instanceof TemporalFailure; at = at.cause) {
    if (!(at instanceof ApplicationFailure) || at.type !== 'BudgetExceeded') continue;
    return (at.details?.[0] as { budget?: BudgetNews } | undefined)?.budget ?? null;
  }
  return null;
}
