import { Context } from '@temporalio/activity';
import type { MetricMeter } from '@temporalio/common';
import { failures } from '../../domain/failures.ts';
import { gpuSecondsOf, isPreemption, ledgerOf, lossesOf, usdOf } from '../../domain/ledger.ts';
import type { Loss, LossKind, TrainingLedger } from '../../domain/ledger.ts';
import type { Lease } from '../checkpoints/lease.ts';
import type { TrainerProgress } from '../contract.ts';
import { failureType } from '../failure.ts';
import type { Log } from '../logging.ts';
import type { Store } from '../store/store.ts';
import { readAttempts, trackAttempt } from './attempt-progress.ts';
import type { AccountedEpoch, AttemptProgress, TrackedAttempt } from './attempt-progress.ts';
import type { StopReason, Supervision } from './supervision.ts';

/** The books of one attempt: what it does, and what the losses before it cost. */
export type Account = Pick<TrackedAttempt, 'began' | 'seen'> & {
  /** What all attempts together cost. @throws StorageUnavailable */
  totals: () => Promise<{ stepsRedone: number; gpuSeconds: number; ledger: TrainingLedger }>;
  /** @param failure null after a success */
  close: (failure: unknown) => Promise<void>;
};

export type AccountOptions = {
  store: Store;
  lease: Lease;
  supervision: Supervision;
  /** Tags of the metrics. */
  tags: { run: string; phase: string };
  gpuHourUsd: number;
  /** That the training uses. */
  gpus: number;
  log: Log;
};

/**
 * Opens the books of the attempt that holds the lease. Earlier losses are read behind the training and shown in the
 * heartbeats; they enter the metrics once, at the first step after them.
 */
export function openAccount(options: AccountOptions): Account {
  const { store, lease, supervision, gpus, log } = options;
  const { epoch, prefix } = lease;
  const meter = Context.current().metricMeter;
  const tracked = trackAttempt(store, prefix, epoch, heardOf(supervision.previous), gpus);
  supervision.report({ epoch });
  const onStop = (): void => {
    // Written down at once: the host may be gone before the last upload has ended.
    if (supervision.reason() === 'notice') void tracked.finish('notice');
  };
  supervision.stop.addEventListener('abort', onStop, { once: true });

  const show = async (isFirstStep: boolean): Promise<void> => {
    if (epoch === 1) return;
    try {
      const attempts = await readAttempts(store, prefix, tracked);
      const losses = lossesOf(attempts, epoch, gpus);
      supervision.report({ ledger: ledgerOf(losses) });
      if (isFirstStep) countLosses(meter, notYetCounted(losses, attempts, epoch), options);
    } catch (error) {
      log.warn('what earlier losses cost cannot be read, training goes on', { reason: String(error) });
    }
  };
  let showing = show(false);
  let hasStepped = false;

  return {
    began: tracked.began,
    seen: (step) => {
      tracked.seen(step);
      if (step === null || hasStepped) return;
      hasStepped = true;
      showing = showing.then(() => show(true));
    },
    totals: async () => {
      const attempts = await readAttempts(store, prefix, tracked);
      const ledger = ledgerOf(lossesOf(attempts, epoch, gpus));
      const gpuSeconds = attempts.reduce((sum, attempt) => sum + attempt.gpuSeconds, 0);
      return { stepsRedone: ledger.stepsRedone, gpuSeconds, ledger };
    },
    close: async (failure) => {
      await tracked.finish(failure === null ? null : lossKindOf(failure, supervision.reason()));
      await showing;
    },
  };
}

/** What the heartbeats of the try before say; it may have ended before it held a lease. */
function heardOf(previous: TrainerProgress | null): AttemptProgress['heard'] {
  if (previous?.epoch === undefined || previous.at === undefined) return null;
  return { epoch: previous.epoch, reached: previous.done, aliveAt: previous.at };
}

/** Closes the books of an attempt however it ends. */
export async function accounted<T>(account: Account, attempt: () => Promise<T>): Promise<T> {
  try {
    const result = await attempt();
    await account.close(null);
    return result;
  } catch (error) {
    await account.close(error);
    throw error;
  }
}

/** Null where nothing follows: the training was cancelled, or failed for good. */
function lossKindOf(error: unknown, reason: StopReason | null): LossKind | 'budget' | null {
  const type = failureType(error);
  if (type === 'BudgetExceeded') return 'budget';
  if (type === 'GpuLost') return reason === 'notice' ? 'notice' : 'host-lost';
  if (type === 'LeaseLost') return 'lease-lost';
  if (type === 'OutOfMemory') return 'out-of-memory';
  if (type === 'TrainerStalled') return 'stalled';
  return type !== undefined && failures[type] === 'retryable' ? 'infrastructure' : null;
}

/** Each attempt counts, at its first step, the losses since the last one that came so far. */
function notYetCounted(losses: Loss[], attempts: readonly AccountedEpoch[], epoch: number): Loss[] {
  const counted = attempts.filter((attempt) => attempt.epoch < epoch && attempt.firstStepAt !== null);
  const since = Math.max(0, ...counted.map((attempt) => attempt.epoch));
  return losses.filter((loss) => loss.epoch >= since);
}

/** docs/runbook.md lists these. */
function countLosses(meter: MetricMeter, losses: readonly Loss[], { tags, gpuHourUsd }: AccountOptions): void {
  const own = meter.withTags(tags);
  const lost = own.createCounter('ratchet_losses_total', undefined, 'Attempts at a training that were lost.');
  const preempted = own.createCounter('ratchet_preemptions_total', undefined, 'Losses that were nobody’s fault.');
  const redone = own.createCounter('ratchet_steps_redone_total', undefined, 'Optimizer steps done again.');
  const recovery = own.createHistogram('ratchet_recovery_seconds', 'float', 's', 'From a loss to the next step.');
  const gpuSeconds = own.createHistogram('ratchet_gpu_lost_seconds', 'float', 's', 'Waiting and redone work.');
  const usd = own.createHistogram('ratchet_gpu_lost_usd', 'float', 'USD', 'The same at budget.gpuHourUsd.');
  for (const loss of losses) {
    lost.add(1, { kind: loss.kind });
    if (isPreemption(loss.kind)) preempted.add(1);
    redone.add(loss.stepsRedone);
    if (loss.secondsToNextStep !== null) recovery.record(loss.secondsToNextStep);
    gpuSeconds.record(gpuSecondsOf(loss));
    usd.record(usdOf(gpuSecondsOf(loss), gpuHourUsd));
  }
}
