import { usdOf } from './ledger.ts';

/** One purse for all that a run pays for: pure arithmetic, for workflows and activities alike. */

/** What a run has spent. GPU time is money at `budget.gpuHourUsd`. */
export type Spent = {
  teacherUsd: number;
  teacherCalls: number;
  judgeUsd?: number;
  judgeCalls?: number;
  gpuSeconds: number;
};

/** What a piece of work has cost. */
export type Cost = { [Part in keyof Spent]?: number | undefined };

/** What a paid activity is told: the cap as it stands, and all that the run had spent before it, in dollars. */
export type BudgetRoom = { capUsd: number; spentUsd: number };

/** The room that was told, or where none was (an older version, an activity by itself), all of the recipe's. */
export const roomOf = (recipe: { budget: { capUsd: number } }, told: BudgetRoom | undefined): BudgetRoom =>
  told ?? { capUsd: recipe.budget.capUsd, spentUsd: 0 };

/** What a `BudgetExceeded` carries in its details, so that the gate can say what it is about. */
export type BudgetNews = {
  /** What the work that was stopped has cost so far; it finds that again, and counts it again, when it goes on. */
  cost: Cost;
  /** The most that its next call or stretch of training may cost. */
  nextUsd: number;
  /** The most that the rest of it may cost; null = not known yet. */
  restUsd: number | null;
};

/** A cap is kept to a millionth of a cent: sums of many small amounts drift. */
export const toleranceUsd = 1e-8;

/** All that was spent, in dollars. */
export const spentUsdOf = ({ teacherUsd, judgeUsd = 0, gpuSeconds }: Spent, gpuHourUsd: number): number =>
  teacherUsd + judgeUsd + usdOf(gpuSeconds, gpuHourUsd);

/** What a judge took appears only where one was asked. */
export function plusCost(spent: Spent, cost: Cost): Spent {
  const judgeUsd = (spent.judgeUsd ?? 0) + (cost.judgeUsd ?? 0);
  const judgeCalls = (spent.judgeCalls ?? 0) + (cost.judgeCalls ?? 0);
  return {
    teacherUsd: spent.teacherUsd + (cost.teacherUsd ?? 0),
    teacherCalls: spent.teacherCalls + (cost.teacherCalls ?? 0),
    ...((judgeUsd > 0 || judgeCalls > 0) && { judgeUsd, judgeCalls }),
    gpuSeconds: spent.gpuSeconds + (cost.gpuSeconds ?? 0),
  };
}

/** Where the budget of a run stands, beside what it has spent. */
export type BudgetState = {
  /** The recipe's, or what it was last raised to. */
  capUsd: number;
  /** Each time that spending passed `budget.warnShare` of the cap of that time. */
  warnings: { at: string; spentUsd: number; capUsd: number }[];
};

/** What a person sees at the budget gate, in dollars. */
export type BudgetEvidence = {
  /** Stage of the run that cannot go on. */
  stage: string;
  capUsd: number;
  spentUsd: number;
  teacherUsd: number;
  judgeUsd: number;
  gpuUsd: number;
  gpuSeconds: number;
  /** See {@link BudgetNews}. */
  nextUsd: number;
  restUsd: number | null;
  /** A cap below this would be reached again at once; whole cents. */
  leastCapUsd: number;
};

export function budgetEvidenceOf(
  stage: string,
  capUsd: number,
  spent: Spent,
  gpuHourUsd: number,
  { nextUsd, restUsd }: Pick<BudgetNews, 'nextUsd' | 'restUsd'>,
): BudgetEvidence {
  const spentUsd = spentUsdOf(spent, gpuHourUsd);
  return {
    ...{ stage, capUsd, spentUsd, teacherUsd: spent.teacherUsd, judgeUsd: spent.judgeUsd ?? 0 },
    ...{ gpuUsd: usdOf(spent.gpuSeconds, gpuHourUsd), gpuSeconds: spent.gpuSeconds, nextUsd, restUsd },
    leastCapUsd: (Math.floor(Math.max(spentUsd + nextUsd, capUsd) * 100) + 1) / 100,
  };
}
