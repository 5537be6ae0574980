import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { DpoJob, SftJob, TrainerEvent } from '../../config/trainer-job.ts';
import { commitCheckpoint } from '../checkpoints/checkpoints.ts';
import type { Lease } from '../checkpoints/lease.ts';
import { createUploadQueue } from '../checkpoints/upload-queue.ts';
import type { UploadQueue } from '../checkpoints/upload-queue.ts';
import { failureType } from '../failure.ts';
import type { Log } from '../logging.ts';
import type { Account } from './account.ts';
import { keepFinished } from './finished.ts';
import type { Finished } from './finished.ts';
import type { GpuDeps } from './gpu-deps.ts';
import type { GpuMeter } from './gpu-meter.ts';
import { endWithin, trackPace } from './grace.ts';
import type { Pace } from './grace.ts';
import { openMetrics } from './metrics-log.ts';
import type { MetricsLog, MetricsRow } from './metrics-log.ts';
import { adapterIn, attemptFolder, checkpointsIn, findResumable, outputsIn } from './resume.ts';
import { runOnServer } from './run-job.ts';
import type { JobOutcome } from './run-job.ts';
import type { Supervision } from './supervision.ts';

export type AttemptOptions = {
  lease: Lease;
  /** Of all attempts at this training on this host. */
  trainingFolder: string;
  jobFor: (place: { outputDir: string; checkpoints: string; resumeFrom: string | null }) => SftJob | DpoJob;
  supervision: Supervision;
  stallMs: number;
  account: Account;
  meter: GpuMeter;
  /** Newest checkpoints that stay in S3, beside the best. */
  keepCheckpoints: number;
  /** Between two looks at whether the lease is still held. */
  leaseCheckMs: number;
  log: Log;
};

/** `finished` where the trainer came to the end of the training; it is remembered on this host. */
export type AttemptEnd = {
  outcome: JobOutcome;
  metrics: MetricsRow[];
  queue: UploadQueue;
  finished: Finished | null;
  /** Why a notice was not answered with a save; see grace.ts. */
  skippedSave: string | null;
};

/**
 * One attempt: goes on from the newest checkpoint, runs the trainer, sends checkpoints to S3 behind it. Returns however
 * the trainer ended; the caller decides what that means.
 */
export async function runAttempt(deps: GpuDeps, options: AttemptOptions): Promise<AttemptEnd> {
  const { lease, account, supervision, log } = options;
  const folder = attemptFolder(options.trainingFolder, lease.epoch);
  const place = { outputDir: outputsIn(folder), checkpoints: checkpointsIn(folder) };
  const resume = await findResumable(deps.store, lease, options.trainingFolder, log);
  const { trainingFolder } = options;
  const metrics = await openMetrics({ store: deps.store, lease, trainingFolder, step: resume?.step ?? 0, log });
  const queue = uploadBehind(deps, options, metrics);
  if (resume !== null) {
    log.info(`going on from step ${resume.step}`, { from: resume.local ? 'this host' : 'S3' });
    if (resume.local) queue.add({ ...resume, evalLoss: metrics.evalLossAt(resume.step) });
  }
  await mkdir(place.outputDir, { recursive: true });
  const jobFile = join(folder, 'job.json');
  await writeFile(
    jobFile,
    JSON.stringify(options.jobFor({ ...place, resumeFrom: resume?.directory ?? null }), null, 2),
  );

  account.began(resume?.step ?? 0);
  const pace = trackPace();
  const onEvent = followEvents({ ...options, metrics, queue, pace });
  const ending = endWithin(deps.graceMs, supervision, pace);
  const stopWatching = watchLease(options);
  try {
    const { stop, kill } = ending;
    const limits = { stop, kill, graceMs: deps.graceMs, stallMs: options.stallMs };
    const outcome = await runOnServer(deps.trainer, jobFile, { onEvent, ...limits });
    const { rows } = metrics;
    const ended = { outcome, metrics: rows, queue, skippedSave: ending.skipped() };
    if (outcome.code !== 0) return { ...ended, finished: null };
    const finished = { result: outcome.result, metrics: rows, adapter: adapterIn(folder) };
    // Only an outage of S3 would need it, so a disk that is full now is no reason to fail.
    await keepFinished(folder, finished).catch((error: unknown) =>
      log.warn('the end of the training is not remembered on this host', { reason: String(error) }),
    );
    return { ...ended, finished };
  } finally {
    options.meter.end();
    stopWatching();
    metrics.close();
  }
}

function uploadBehind(
  { store }: GpuDeps,
  { lease, keepCheckpoints, supervision, log }: AttemptOptions,
  { putUpTo }: MetricsLog,
): UploadQueue {
  return createUploadQueue({
    commit: async (saved) => {
      const metrics = await putUpTo(saved.step);
      return commitCheckpoint(store, lease, { ...saved, metrics }, { keep: keepCheckpoints });
    },
    superseded: (saved) => void rm(saved.directory, { recursive: true, force: true }),
    lost: () => {
      supervision.end('lease-lost');
    },
    log,
  });
}

/**
 * Stops the trainer of a worker that another attempt has replaced; asks now and then, and when the trainer is told to
 * save, which it need not do for nobody. Not being able to ask is no reason to stop.
 */
function watchLease({ lease, supervision, leaseCheckMs, log }: AttemptOptions): () => void {
  let asking = false;
  const look = (): void => {
    if (asking) return;
    asking = true;
    lease
      .check()
      .catch((error: unknown) => {
        if (failureType(error) === 'LeaseLost') supervision.end('lease-lost');
        else log.warn('the lease cannot be checked, training goes on', { reason: String(error) });
      })
      .finally(() => (asking = false));
  };
  const timer = setInterval(look, leaseCheckMs);
  supervision.stop.addEventListener('abort', look);
  return () => {
    clearInterval(timer);
    supervision.stop.removeEventListener('abort', look);
  };
}

/** Turns events into heartbeats, metrics and uploads. */
function followEvents(options: AttemptOptions & { metrics: MetricsLog; queue: UploadQueue; pace: Pace }) {
  const { account, supervision, metrics, queue, log } = options;
  let first: { step: number; time: number } | null = null;

  const onStep = (event: Extract<TrainerEvent, { event: 'step' }>): void => {
    metrics.add(event);
    const { step: done, totalSteps: total, loss, tokensPerSecond } = event;
    first ??= { step: done, time: event.time };
    const perStep = done === first.step ? null : (event.time - first.time) / (done - first.step);
    const checkpointStep = queue.committed()?.step;
    supervision.report({
      ...{ done, total, loss, tokensPerSecond },
      ...(perStep !== null && { etaSeconds: Math.round(perStep * (total - done)) }),
      ...(checkpointStep !== undefined && { checkpointStep }),
    });
  };
  return (event: TrainerEvent): void => {
    account.seen(event.event === 'step' ? event.step : null);
    options.pace.seen(event);
    options.meter.seen(event);
    if (event.event === 'started') {
      supervision.report({ done: event.resumedStep ?? 0, total: event.totalSteps ?? 0 });
      log.info('trainer started', {
        startupSeconds: event.startupSeconds,
        device: event.device,
        steps: event.totalSteps,
      });
    } else if (event.event === 'step') onStep(event);
    else if (event.event === 'eval') metrics.add(event);
    else if (event.event === 'warning') log.warn(`trainer: ${event.message}`, { code: event.code });
    else if (event.event === 'checkpoint') {
      const { step, path: directory } = event;
      queue.add({ step, directory, evalLoss: metrics.evalLossAt(step) });
    }
  };
}
