import { failureType } from '../activities/failure.ts';
import type { ProgrammeState } from '../domain/programme.ts';
import { withProgrammes } from './commands/command.ts';
import type { Context } from './context.ts';
import { asProblem } from './problem.ts';

/** State of a run. Temporal forgets old runs; their last state is in the bucket. */
export async function stateOf(context: Context, run: string): Promise<ProgrammeState> {
  try {
    return await withProgrammes(context, (programmes) => programmes.status(run));
  } catch (error) {
    const stored = await context.storedState(run).catch((unread: unknown) => {
      if (failureType(unread) === 'ArtefactDamaged') throw asProblem(unread);
      return null;
    });
    if (stored !== null) return stored;
    throw asProblem(error);
  }
}
