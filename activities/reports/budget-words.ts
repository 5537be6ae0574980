import { spentUsdOf } from '../../domain/budget.ts';
import type { BudgetEvidence } from '../../domain/budget.ts';
import type { ProgrammeState } from '../../domain/programme.ts';
import { gpuHourUsdOf } from './collect-losses.ts';
import { duration, instant, usd } from './quantities.ts';

/** What a person sees at the budget gate, a line each. */
export function budgetLines(budget: BudgetEvidence): string[] {
  const { stage, capUsd, spentUsd, teacherUsd, judgeUsd, gpuUsd, gpuSeconds, nextUsd, restUsd, leastCapUsd } = budget;
  const rest =
    restUsd === null
      ? 'nobody knows yet what the rest of this stage costs'
      : `the rest of this stage at most ${usd(restUsd)}`;
  return [
    `${usd(spentUsd)} of ${usd(capUsd)} are spent: teacher ${usd(teacherUsd)}, judge ${usd(judgeUsd)}, GPU ${usd(gpuUsd)} (${duration(gpuSeconds)}).`,
    `${stage} cannot go on: what comes next may cost ${usd(nextUsd)}; ${rest}.`,
    `raise needs a cap of at least ${usd(leastCapUsd)}; nothing is paid twice. stop ends the run and keeps what was promoted.`,
  ];
}

/** ` · $0.42 of $5.00`; empty for a run that has no money to spend. */
export function capWords({ budget, spent, recipe }: ProgrammeState): string {
  if (budget === undefined || budget.capUsd === 0) return '';
  return ` · ${usd(spentUsdOf(spent, gpuHourUsdOf(recipe)))} of ${usd(budget.capUsd)}`;
}

/** Each time that the cap was near. */
export const warningLines = ({ budget }: ProgrammeState): string[] =>
  (budget?.warnings ?? []).map(
    ({ at, spentUsd, capUsd }) =>
      `the cap is near: ${usd(spentUsd)} of ${usd(capUsd)} (${Math.round((100 * spentUsd) / capUsd)} %) were spent at ${instant(at)}`,
  );
