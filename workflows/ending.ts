import { CancellationScope, isCancellation, log, upsertSearchAttributes } from '@temporalio/workflow';
import { TemporalFailure } from '@temporalio/common';
import type { ProgrammeState } from '../domain/programme.ts';
import { rootMessage } from './failure.ts';
import { searchAttributes } from './messages.ts';
import { enter } from './programme.ts';
import { orchestrator } from './tasks.ts';

/** What a finished run answers; the whole state is in `state.json` and in the `status` query. */
export type Outcome = Pick<ProgrammeState, 'run' | 'stage' | 'promoted' | 'conclusion' | 'report' | 'spent'>;

/** Ends a run that came to its end. What it has made counts, also where its report or its state cannot be written. */
export async function finish(state: ProgrammeState, stage: 'done' | 'stopped'): Promise<Outcome> {
  enter(state, 'report');
  state.finishedAt = new Date().toISOString();
  state.conclusion ??= state.promoted
    ? `The adapter of Phase ${state.promoted.phase}, attempt ${state.promoted.attempt}${roundWords(state)}, is the new model.`
    : 'No phase was promoted: the base stays the model.';
  // The report shows how the run ended, so the final stage is set before it is written.
  state.stage = stage;
  await leave(state);
  enter(state, stage);
  const { run, promoted, conclusion, report, spent } = state;
  return { run, stage, promoted, conclusion, report, spent };
}

/**
 * After a cancellation or a failure: says what is kept and where, and leaves state and report as far as that goes. Never
 * throws, so that the run ends as what happened to it.
 */
export async function keep(state: ProgrammeState, error: unknown): Promise<void> {
  const cancelled = isCancellation(error);
  const where = `runs/${state.run}/`;
  const during = state.stage === 'done' || state.stage === 'stopped' ? 'report' : state.stage;
  state.stage = cancelled ? 'cancelled' : 'failed';
  state.waiting = null;
  state.finishedAt = new Date().toISOString();
  state.conclusion = `${cancelled ? 'Cancelled' : `Failed (${rootMessage(error)})`} during ${during}. Everything checkpointed is kept under ${where} in the bucket.`;
  await CancellationScope.nonCancellable(() => leave(state));
  upsertSearchAttributes([{ key: searchAttributes.gate, value: null }]);
  enter(state, state.stage);
}

/** Writes report and state, each for itself; what cannot be written is said in the conclusion. */
async function leave(state: ProgrammeState): Promise<void> {
  state.report = null;
  if (state.recipe !== null) {
    await orSay(state, 'The report', `Write it again: ratchet report ${state.run}`, async () => {
      state.report = await orchestrator.writeReport({ state });
    });
  }
  const fix = `No run can start from it (--from) until it is. \`ratchet report ${state.run}\` still reads it from Temporal`;
  await orSay(state, 'The state', fix, () => orchestrator.saveState({ state }));
}

async function orSay(state: ProgrammeState, what: string, fix: string, write: () => Promise<unknown>): Promise<void> {
  try {
    await write();
  } catch (error) {
    // A fault of this code itself is for the next try of the workflow task.
    if (isCancellation(error) || !(error instanceof TemporalFailure)) throw error;
    const reason = rootMessage(error).slice(0, 500);
    log.error(`${what} could not be written`, { reason });
    state.conclusion = `${state.conclusion ?? ''} ${what} could not be written (${reason}). ${fix}.`.trimStart();
  }
}

/** ` (round 2)` where a later round of Phase C was promoted. */
function roundWords({ phases, promoted }: ProgrammeState): string {
  const round = phases.find(({ phase, attempt }) => phase === promoted?.phase && attempt === promoted.attempt)?.round;
  return round === undefined ? '' : ` (round ${round.number})`;
}
