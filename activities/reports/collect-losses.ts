import { z } from 'zod';
import { runLedger } from '../../domain/ledger.ts';
import type { ProgrammeState } from '../../domain/programme.ts';
import type { ReportData } from './report-data.ts';

/** Losses by attempt, those that had any, and of the whole run. */
export function lossesOfRun(state: ProgrammeState): ReportData['losses'] {
  const gpuHourUsd = gpuHourUsdOf(state.recipe);
  const cut = state.phases.filter(({ losses }) => losses > 0);
  return {
    phases: cut.map((attempt) => ({
      ...{ phase: attempt.phase, attempt: attempt.attempt, round: attempt.round },
      ledger: runLedger([attempt], [], gpuHourUsd),
    })),
    run: runLedger(state.phases, [], gpuHourUsd),
  };
}

const Priced = z.object({ budget: z.object({ gpuHourUsd: z.number() }) });

/** Price of a GPU-hour in the recipe of a run's state; 0 before it is known. */
export const gpuHourUsdOf = (recipe: unknown): number => Priced.safeParse(recipe).data?.budget.gpuHourUsd ?? 0;
