import { CancelledFailure, Context } from '@temporalio/activity';
import type { BudgetNews } from '../../domain/budget.ts';
import type { Turn } from '../checkpoints/lease.ts';
import type { TrainerProgress } from '../contract.ts';
import { failure } from '../failure.ts';

/**
 * Why a job is to end before its time. cancelled = by a person; notice = this worker or host goes; lease-lost = another
 * attempt has taken over; abandoned = Temporal no longer waits for this attempt, as after an outage longer than the
 * heartbeat timeout. Whether another attempt goes on is for the lease to say: until it does, what was done is saved.
 */
export type StopReason = 'cancelled' | 'notice' | 'lease-lost' | 'abandoned' | AtCap;

/** The cap of the run is reached; `news` is what the budget gate is told, of the moment at which it is asked. */
export type AtCap = { capUsd: number; news: () => BudgetNews };

/** The live side of a GPU activity: heartbeats out, reasons to stop in. */
export type Supervision = {
  /** The trainer should save and end. */
  stop: AbortSignal;
  /** The trainer must end at once. */
  kill: AbortSignal;
  reason: () => StopReason | null;
  end: (reason: StopReason) => void;
  report: (progress: Partial<TrainerProgress>) => void;
  /** Heartbeat details that the attempt before left, if any. */
  previous: TrainerProgress | null;
  /** Of this attempt, for its lease. */
  turn: Turn;
  finish: () => void;
};

const HEARTBEAT_MS = 1_000;

/**
 * Supervises the current activity. The heartbeat says that this worker lives and how far the job is; whether the
 * trainer advances is judged by its steps, not by this.
 *
 * @param notice see `GpuDeps.notice`
 */
export function supervise(kind: TrainerProgress['kind'], label: string, notice: AbortSignal): Supervision {
  const context = Context.current();
  const stop = new AbortController();
  const kill = new AbortController();
  const progress: TrainerProgress = { kind, label, done: 0, total: 0, startedAt: Date.now() };
  let why: StopReason | null = null;

  const end = (reason: StopReason): void => {
    // Whatever came before: where another attempt holds the lease, nothing more of this one counts.
    if (reason === 'lease-lost') why = reason;
    else why ??= reason;
    if (reason === 'lease-lost') kill.abort();
    else stop.abort();
  };
  const onCancelled = (): void => {
    const details = context.cancellationDetails;
    if (details?.notFound === true || details?.timedOut === true) end('abandoned');
    else end(details?.cancelRequested === true ? 'cancelled' : 'notice');
  };
  const onNotice = (): void => {
    end('notice');
  };
  const heartbeat = (): void => {
    context.heartbeat({ ...progress, at: Date.now() });
  };
  const beat = setInterval(heartbeat, HEARTBEAT_MS);
  heartbeat();
  context.cancellationSignal.addEventListener('abort', onCancelled);
  notice.addEventListener('abort', onNotice);
  if (context.cancellationSignal.aborted) onCancelled();
  if (notice.aborted) onNotice();

  return {
    stop: stop.signal,
    kill: kill.signal,
    reason: () => why,
    end,
    report: (news) => Object.assign(progress, news),
    turn: { scheduledAt: context.info.scheduledTimestampMs, attempt: context.info.attempt },
    previous: (context.info.heartbeatDetails as TrainerProgress | undefined) ?? null,
    finish: () => {
      clearInterval(beat);
      context.cancellationSignal.removeEventListener('abort', onCancelled);
      notice.removeEventListener('abort', onNotice);
    },
  };
}

/** What was kept of an interrupted job: in the details of its failure, for people and for the next attempt. */
export type Kept = { step: number; uri: string } | null;

/**
 * The failure of a job that was ended for this reason.
 *
 * @param skippedSave why a notice was not answered with a save
 */
export function failureOfStop(reason: StopReason, kept: Kept, skippedSave: string | null = null): Error {
  const where = kept === null ? 'nothing was checkpointed yet' : `kept: step ${kept.step} at ${kept.uri}`;
  const details = [{ kept }];
  if (reason === 'cancelled') return new CancelledFailure(`cancelled; ${where}`, details);
  if (reason === 'lease-lost') return failure('LeaseLost', `another attempt has taken over; ${where}`, { details });
  if (typeof reason === 'object') {
    const message = `budget.capUsd: the next stretch of GPU time does not fit under the cap of $${reason.capUsd.toFixed(2)}; ${where}. Fix: raise the cap at the budget gate; it goes on from there`;
    return failure('BudgetExceeded', message, { details: [{ kept, budget: reason.news() }] });
  }
  if (reason === 'abandoned')
    return failure('GpuLost', `Temporal no longer waits for this attempt; ${where}`, { details });
  const skipped = skippedSave === null ? '' : `${skippedSave}; `;
  return failure('GpuLost', `this worker was told to go; ${skipped}${where}`, { details });
}
