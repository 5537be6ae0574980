import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { Recipe } from '../../config/recipe.ts';
import { Reliability } from '../../config/reliability.ts';
import type { DpoJob, SftJob } from '../../config/trainer-job.ts';
import { canonicalJson } from '../../domain/canonical.ts';
import type { BudgetRoom } from '../../domain/budget.ts';
import { lossKinds } from '../../domain/ledger.ts';
import { finishTraining } from '../checkpoints/checkpoints.ts';
import { openLease, readLease } from '../checkpoints/lease.ts';
import type { Lease } from '../checkpoints/lease.ts';
import type { Scope, TrainingResult } from '../contract.ts';
import { failure } from '../failure.ts';
import type { Log } from '../logging.ts';
import { folderOf } from '../scope.ts';
import { sha256 } from '../store/files.ts';
import { putFolder } from '../store/folders.ts';
import { isOutage, throughOutage } from '../store/outage.ts';
import type { OutageOptions } from '../store/outage.ts';
import { diskFull, isDiskFull } from '../store/storage-failure.ts';
import { runAttempt } from './attempt.ts';
import type { AttemptEnd } from './attempt.ts';
import { accounted, openAccount } from './account.ts';
import type { Account } from './account.ts';
import { gpuSecondsSoFar } from './attempt-progress.ts';
import { findFinished } from './finished.ts';
import type { Finished } from './finished.ts';
import { processName, scopeFolder } from './gpu-deps.ts';
import type { GpuDeps } from './gpu-deps.ts';
import { watchHost } from './host-notice.ts';
import { createGpuMeter } from './gpu-meter.ts';
import type { GpuMeter } from './gpu-meter.ts';
import { failureOfJob } from './job-failure.ts';
import { gpusOf, halved } from './jobs.ts';
import type { MicroBatch, Place } from './jobs.ts';
import { failureOfStop, supervise } from './supervision.ts';
import type { Kept, Supervision } from './supervision.ts';

export type Training = {
  scope: Scope;
  /** Of the activity's input. */
  budget: BudgetRoom | undefined;
  recipe: Recipe;
  kind: 'sft' | 'dpo';
  label: string;
  /** Everything that decides the result, as plain JSON; trainings that differ in it share nothing. */
  identity: unknown;
  /** Rows per micro-batch of the recipe. */
  batchSize: number;
  /** Optimizer steps between checkpoints; auto: what `reliability.maxLostSeconds` asks for. */
  everySteps: number | 'auto';
  /** Fetches the inputs; returns how to make the job of an attempt. */
  prepare: () => Promise<(place: Place, microBatch: MicroBatch) => SftJob | DpoJob>;
};

/**
 * Trains one adapter and leaves it in S3. Safe to repeat: goes on from the newest checkpoint that counts, and returns
 * the result at once if the training is finished already.
 *
 * @throws CancelledFailure with what was kept; InvalidJob, PreflightRefused, BaseMismatch, Diverged (permanent);
 *   OutOfMemory (the next attempt takes half the micro-batch), DiskFull, TrainerFailed, TrainerStalled,
 *   StorageUnavailable (retryable); GpuLost, LeaseLost (preemption); BudgetExceeded, before it or with a checkpoint
 */
export async function train(deps: GpuDeps, training: Training): Promise<TrainingResult> {
  const { scope, label } = training;
  const digest = sha256(canonicalJson(training.identity)).slice(0, 16);
  const prefix = `${folderOf(scope)}/training-${digest}`;
  const trainingFolder = join(scopeFolder(deps, scope), digest);
  const finished = resultOf((await readLease(deps.store, prefix))?.record.final);
  if (finished !== null) return finished;

  // A run that an older version began has a recipe without the newer fields.
  const reliability = Reliability.parse(training.recipe.reliability);
  const supervision = supervise(training.kind, label, deps.notice);
  const stopWatching = watchHost({
    ...{ cloud: reliability.preemptionNotice, addresses: deps.metadata },
    ...{ onNotice: deps.giveNotice, log: deps.log },
  });
  try {
    const meter = await openMeter(deps, training, { prefix, trainingFolder }, supervision);
    const jobFor = await training.prepare();
    const early = supervision.reason();
    if (early !== null) throw failureOfStop(early, null);
    const lease = await openLease(deps.store, prefix, newOwner(), supervision.turn);
    // A finished training may have got in between; its result stands.
    const raced = resultOf(lease.record().final);
    if (raced !== null) return raced;
    const log = deps.log.child({ run: scope.run, phase: scope.phase, attempt: scope.attempt, epoch: lease.epoch });
    const { microBatch } = lease.record();
    // Without the epoch: the adapter's provenance names the job, and must not tell how often it was interrupted.
    const id = `${scope.run}/${label}`;
    const { heartbeatSeconds, stallSeconds, keepCheckpoints, outageMinutes } = reliability;
    const account = openAccount({
      ...{ store: deps.store, lease, supervision, log },
      tags: { run: scope.run, phase: scope.phase },
      gpuHourUsd: training.recipe.budget.gpuHourUsd,
      gpus: gpusOf(training.recipe),
    });
    const trainToTheEnd = async (): Promise<Finished> => {
      meter.begin();
      const attempt = await runAttempt(deps, {
        ...{ lease, trainingFolder, account, meter, supervision, keepCheckpoints, log },
        jobFor: (place) => jobFor({ id, ...place }, microBatch),
        stallMs: stallSeconds * 1000,
        leaseCheckMs: heartbeatSeconds * 500,
      });
      if (attempt.finished === null) throw await failureOf(deps, training, lease, supervision, attempt);
      // Checkpoints are of no more use; one that is on its way must only not meet the end of the lease's record.
      await attempt.queue.drain().catch(() => undefined);
      return attempt.finished;
    };
    const result = await accounted(account, async () => {
      const before = await findFinished(trainingFolder);
      if (before !== null) account.began(stepsOf(before));
      return commitThroughOutage(
        { deps, lease, supervision, account, outageMinutes, log },
        before ?? (await trainToTheEnd()),
      );
    });
    if (!deps.keepWork) await rm(trainingFolder, { recursive: true, force: true });
    return result;
  } catch (error) {
    throw isDiskFull(error) ? diskFull(trainingFolder, error) : error;
  } finally {
    stopWatching();
    supervision.finish();
  }
}

const newOwner = (): string => `${processName()}:${randomUUID().slice(0, 8)}`;

/** @throws BudgetExceeded when there is no room for GPU time, and some is needed */
async function openMeter(
  { store }: GpuDeps,
  { recipe, budget, everySteps }: Training,
  { prefix, trainingFolder }: { prefix: string; trainingFolder: string },
  supervision: Supervision,
): Promise<GpuMeter> {
  const earlierGpuSeconds = await gpuSecondsSoFar(store, prefix);
  const length = everySteps === 'auto' ? { seconds: recipe.reliability.maxLostSeconds } : { units: everySteps };
  const stretch = { endsWith: 'save', ...length } as const;
  const meter = createGpuMeter({ recipe, budget, stretch, gpus: gpusOf(recipe), earlierGpuSeconds, supervision });
  // What is trained already only has to be stored.
  if ((await findFinished(trainingFolder)) === null) meter.demandRoom();
  return meter;
}

const stepsOf = ({ result, metrics }: Finished): number => result?.steps ?? metrics.at(-1)?.step ?? 0;

/** What the end of a training is entered with. */
type Commit = {
  deps: GpuDeps;
  lease: Lease;
  supervision: Supervision;
  account: Account;
  outageMinutes: number;
  log: Log;
};

/** A worker that is told to go does not wait for S3: the end stays on this host. */
async function commitThroughOutage(how: Commit, finished: Finished): Promise<TrainingResult> {
  const { deps, lease, supervision, account, outageMinutes: minutes, log } = how;
  const stop = AbortSignal.any([supervision.stop, supervision.kill]);
  const warn: OutageOptions['warn'] = (message, more) => log.warn(message, more);
  const commit = () => commitResult(deps, lease, account, finished);
  try {
    return await throughOutage(commit, { minutes, stop, doing: 'a finished adapter', warn });
  } catch (error) {
    const reason = supervision.reason();
    throw reason === null || !isOutage(error) ? error : failureOfStop(reason, keptOf(lease));
  }
}

/** Uploads adapter and metrics and enters the result in the lease's record, from where every later attempt takes it. */
async function commitResult(
  deps: GpuDeps,
  lease: Lease,
  account: Account,
  finished: Finished,
): Promise<TrainingResult> {
  const { result, metrics, adapter: directory } = finished;
  const { store } = deps;
  const base = `${lease.prefix}/epoch-${String(lease.epoch).padStart(4, '0')}`;
  const adapter = await putFolder(store, directory, `${base}/adapter`, { beforeManifest: lease.check });
  const metricsRef = await store.putRows(`${base}/metrics.jsonl`, metrics);
  const totals = await account.totals();
  const final: TrainingResult = {
    adapter,
    metrics: metricsRef,
    steps: stepsOf(finished),
    trainLoss: result?.trainLoss ?? null,
    evalLoss: result?.evalLoss ?? null,
    trainableParameters: result?.trainableParameters ?? 0,
    totalParameters: result?.totalParameters ?? 0,
    ...totals,
    losses: totals.ledger.lost,
    ...(result?.inexact !== undefined && { inexact: result.inexact }),
  };
  await finishTraining(store, lease, final);
  return final;
}

/** What the end of an attempt that did not succeed is called; what can be kept is in S3 when this returns. */
async function failureOf(
  deps: GpuDeps,
  training: Training,
  lease: Lease,
  supervision: Supervision,
  { outcome, metrics, queue, skippedSave }: AttemptEnd,
): Promise<Error> {
  const log = deps.log.child({ run: training.scope.run, phase: training.scope.phase });
  await queue
    .drain()
    .catch((error: unknown) => log.warn('the newest checkpoint stays on this host', { reason: String(error) }));
  const kept = keptOf(lease);
  const reason = supervision.reason();
  if (skippedSave !== null) log.warn(`${skippedSave}: kept ${kept === null ? 'nothing' : `step ${kept.step}`}`);
  if (reason !== null) return failureOfStop(reason, kept, skippedSave);
  const named = failureOfJob(outcome, [{ kept }]);
  if (named.type === 'OutOfMemory') return withLessMemory(training, lease, named);
  if (named.type !== 'Diverged') return named;
  const base = `${lease.prefix}/epoch-${String(lease.epoch).padStart(4, '0')}`;
  const evidence = await deps.store.putRows(`${base}/diverged.jsonl`, metrics);
  return failure('Diverged', named.message, { details: [{ kept, metrics: evidence }] });
}

/** Enters half the micro-batch for the next attempt; the rows per step stay, and with them the result. */
async function withLessMemory(training: Training, lease: Lease, outOfMemory: Error): Promise<Error> {
  const now = lease.record().microBatch ?? training.batchSize;
  const next = halved(now);
  if (next === null) {
    const message = `${outOfMemory.message} A micro-batch of ${now} cannot be halved; lower maxLength or take a larger GPU.`;
    return failure('InvalidJob', message, { cause: outOfMemory });
  }
  await lease.update((record) => ({ ...record, microBatch: next }));
  return failure(
    'OutOfMemory',
    `${outOfMemory.message} The next attempt takes micro-batches of ${next} rows in place of ${now}.`,
    {
      details: [{ kept: keptOf(lease), microBatch: next }],
    },
  );
}

function keptOf(lease: Lease): Kept {
  const newest = lease.record().checkpoints.at(-1);
  return newest === undefined ? null : { step: newest.step, uri: newest.manifest.uri };
}

const Ref = z.object({ uri: z.string(), sha256: z.string(), bytes: z.number(), rows: z.number() });
const TrainingLedgerShape = z.object({
  byKind: z.partialRecord(z.enum(lossKinds), z.number()),
  ...{ lost: z.number(), preemptions: z.number(), stepsRedone: z.number() },
  ...{ secondsToNextStep: z.number(), gpuSecondsLost: z.number() },
});
const Final = z.object({
  ...{
    adapter: Ref,
    metrics: Ref,
    steps: z.number(),
    trainLoss: z.number().nullable(),
    evalLoss: z.number().nullable(),
  },
  ...{ trainableParameters: z.number(), totalParameters: z.number(), gpuSeconds: z.number() },
  ...{ stepsRedone: z.number(), losses: z.number(), ledger: TrainingLedgerShape.optional() },
  inexact: z.string().optional(),
});

const resultOf = (final: unknown): TrainingResult | null => (final == null ? null : Final.parse(final));
