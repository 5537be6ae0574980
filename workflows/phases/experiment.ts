import { ActivityFailure, ApplicationFailure, isCancellation, log } from '@temporalio/workflow';
import type { Cost } from '../../domain/budget.ts';
import type { FailedExperiment } from '../../domain/gate-types.ts';
import { rootMessage } from '../failure.ts';
import { typeOf } from '../tasks.ts';

/** Longest words of a failure in the evidence, in characters. */
const mostWords = 600;

/**
 * Runs an experiment of a phase whose model is trained and evaluated already. Where it fails for good, that is a result
 * for the gate, by name: hours of training must not be lost to the wrong key of a judge. A cancellation and the cap pass.
 *
 * @param spent told what the work that failed had cost, where its failure says so
 */
export async function orFailed(
  name: FailedExperiment['name'],
  work: () => Promise<void>,
  spent: (cost: Cost) => void = () => undefined,
): Promise<FailedExperiment | null> {
  try {
    await work();
    return null;
  } catch (error) {
    const type = typeOf(error);
    // What is no activity's failure is a fault of this code, for the next try of the task, or the purse's own.
    if (isCancellation(error) || !(error instanceof ActivityFailure)) throw error;
    if (type === 'BudgetExceeded' || type === 'BudgetStopped') throw error;
    const failed = { name, type: type ?? 'TimedOut', message: rootMessage(error).slice(0, mostWords) };
    spent(costIn(error));
    log.warn('an experiment failed', failed);
    return failed;
  }
}

/** What a failed activity had cost, as activities/teacher/books.ts puts it into its failure. */
function costIn({ cause }: ActivityFailure): Cost {
  const details = cause instanceof ApplicationFailure ? cause.details?.[0] : undefined;
  return (details as { cost?: Cost } | undefined)?.cost ?? {};
}
