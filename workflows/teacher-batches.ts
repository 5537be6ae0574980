import { ApplicationFailure, CancelledFailure, CancellationScope, log, setHandler, sleep } from '@temporalio/workflow';
import type { AskInput, Asked, BatchFile, BatchNow } from '../activities/contract.ts';
import type { ArtefactRef } from '../domain/records.ts';
import { cancelPatienceMs, hasEnded, isOverdue, lookWaitMs, looksUntilSettled } from '../domain/teacher-batches.ts';
import type { BatchRefusal, BatchWait } from '../domain/teacher-batches.ts';
import { rootMessage } from './failure.ts';
import { batchesQuery } from './messages.ts';
import type { Purse } from './purse.ts';
import { apiTasks, batchTasks, costOfAsking, isInfrastructure, isUnexpected } from './tasks.ts';

/** Asks the teacher as `teacher.mode` says. The result does not tell how it was asked, but for its price. */
export const askTeacher = (input: AskInput, purse: Purse): Promise<Asked> =>
  input.recipe.teacher.mode === 'batch'
    ? purse.spend((budget) => askInBatches({ ...input, budget }), costOfAsking)
    : apiTasks(input.recipe.reliability, purse).askTeacher(input);

/** A batch at the provider that has not been collected; `unsettled` = looks that found it ended without its answers. */
type OpenBatch = { id: string; file: BatchFile; unsettled: number };

/**
 * What a round has come to. `later` is why batches were refused that may be sent again; `end` ends the stage when the rest of
 * the round is settled.
 */
type Came = { rows: ArtefactRef[]; answered: number; later: BatchRefusal | null; end: ApplicationFailure | null };

/**
 * Rounds of batches: each sends what has no answer yet. A round in which the cap or the provider's queue held something
 * back does not count as long as it brings answers. What is left after the last one is asked live, or fails by name.
 */
async function askInBatches(input: AskInput): Promise<Asked> {
  const api = batchTasks(input.recipe.reliability);
  const { maxRounds, pollMinutes } = input.recipe.teacher.batch;
  const wait: BatchWait = { round: 0, batches: [], nextLookAt: null };
  setHandler(batchesQuery, () => wait);
  const batches: ArtefactRef[] = [];
  let tries = 0;
  while (tries < maxRounds) {
    wait.round += 1;
    const plan = await api.planBatches({ ...input, batches, round: wait.round });
    if (plan.files.length === 0) break;
    const { rows, answered, later } = await sendRound(input, plan.files, wait);
    batches.push(...rows);
    if (answered > 0 && (later !== null || plan.deferred > 0)) continue;
    tries += 1;
    if (later === null) continue;
    if (tries === maxRounds) throw refused(words[later.kind], later);
    await sleep(6 * 2 ** tries * pollMinutes * 60_000);
  }
  return await api.askTeacher({ ...input, batches });
}

const words: Readonly<Record<BatchRefusal['kind'], string>> = {
  full: 'the queue of batches stays full',
  outage: 'batches keep failing at the provider',
  wrong: 'batches were refused',
};

const rejected = (message: string): ApplicationFailure => ApplicationFailure.nonRetryable(message, 'TeacherRejected');

const refused = (what: string, { code, message, fix }: BatchRefusal): ApplicationFailure =>
  rejected(`${what} (${code}): ${message}. What was answered is kept. Fix: ${fix}`);

/** Sends files as batches and takes what they come to. Ended half-way, by whatever, it leaves no batch behind. */
async function sendRound(input: AskInput, files: BatchFile[], wait: BatchWait): Promise<Came> {
  const { scope, recipe } = input;
  const api = batchTasks(recipe.reliability);
  const open: OpenBatch[] = [];
  const came: Came = { rows: [], answered: 0, later: null, end: null };
  try {
    for (const file of files) {
      // Not cancelled half-way: the batch could be there without anybody knowing its id.
      const { id } = await CancellationScope.nonCancellable(() => api.submitBatch({ scope, recipe, file }));
      open.push({ id, file, unsettled: 0 });
      if (CancellationScope.current().consideredCancelled) throw new CancelledFailure('cancelled between batches');
    }
    wait.batches = open.map(({ id, file }) => ({ id, status: 'validating', done: 0, total: file.input.rows }));
    await untilEnded(input, open, wait, came);
    return came;
  } catch (error) {
    if (open.length > 0) await CancellationScope.nonCancellable(() => abandon(input, open, wait, came));
    throw error;
  } finally {
    Object.assign(wait, { batches: [], nextLookAt: null } satisfies Partial<BatchWait>);
  }
}

/** Waits by timer, and collects each batch when it has ended. */
async function untilEnded(input: AskInput, open: OpenBatch[], wait: BatchWait, came: Came): Promise<void> {
  const { pollMinutes, completionWindowHours } = input.recipe.teacher.batch;
  let waitedMs = 0;
  for (let look = 0; open.length > 0; look += 1) {
    const waitMs = lookWaitMs(look, pollMinutes);
    wait.nextLookAt = new Date(Date.now() + waitMs).toISOString();
    await sleep(waitMs);
    waitedMs += waitMs;
    await lookAndCollect(input, open, wait, came);
    if (came.end !== null) throw came.end;
    if (open.length > 0 && isOverdue(waitedMs, completionWindowHours)) {
      const ids = open.map(({ id }) => id).join(', ');
      throw rejected(
        `batches did not end in twice their time: ${ids}. What was answered is kept. Fix: look at them at the provider, then start again`,
      );
    }
  }
}

/** Cancels what is open at the provider and takes what was done; what goes wrong here must not hide why. */
async function abandon(input: AskInput, open: OpenBatch[], wait: BatchWait, came: Came): Promise<void> {
  const { recipe } = input;
  try {
    await batchTasks(recipe.reliability).cancelBatches({ recipe, ids: open.map(({ id }) => id) });
    let waitedMs = 0;
    for (let look = 0; open.length > 0 && waitedMs < cancelPatienceMs; look += 1) {
      await lookAndCollect(input, open, wait, came);
      if (open.length === 0) break;
      const waitMs = lookWaitMs(look, recipe.teacher.batch.pollMinutes);
      await sleep(waitMs);
      waitedMs += waitMs;
    }
  } catch (error) {
    log.warn('batches were not all cancelled and collected', {
      reason: rootMessage(error),
      open: open.map(({ id }) => id),
    });
  }
}

/** One look; what has ended leaves `open`, and its answers are stored, also where the workflow is cancelled meanwhile. */
async function lookAndCollect(input: AskInput, open: OpenBatch[], wait: BatchWait, came: Came): Promise<void> {
  const { scope, recipe } = input;
  const api = batchTasks(recipe.reliability);
  for (const { id, status, done, files, errorFile, unsettled, refusal } of await look(input, open)) {
    const shown = wait.batches.find((batch) => batch.id === id);
    if (shown) Object.assign(shown, { status, done });
    const index = open.findIndex((batch) => batch.id === id);
    const batch = open[index];
    if (batch === undefined || !hasEnded(status)) continue;
    if (unsettled === true && (batch.unsettled += 1) < looksUntilSettled) continue;
    open.splice(index, 1);
    if (refusal !== undefined && refusal.kind !== 'wrong') came.later = refusal;
    if (refusal?.kind === 'wrong') came.end ??= refused(`batch ${id} was refused`, refusal);
    if (files.length === 0 && errorFile === undefined) continue;
    const left = { file: batch.file, files, ...(errorFile !== undefined && { errorFile }) };
    const collected = await CancellationScope.nonCancellable(() => api.collectBatch({ scope, recipe, ...left }));
    came.rows.push(collected.rows);
    came.answered += collected.answered;
    if (collected.rejected !== undefined) came.end ??= rejected(collected.rejected);
  }
}

/** While the provider is away its batches go on, so nothing is known and nothing is lost. */
async function look({ recipe }: AskInput, open: readonly OpenBatch[]): Promise<BatchNow[]> {
  try {
    return await batchTasks(recipe.reliability).lookAtBatches({ recipe, ids: open.map(({ id }) => id) });
  } catch (error) {
    if (isInfrastructure(error) && !isUnexpected(error)) return [];
    throw error;
  }
}
