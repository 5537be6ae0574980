import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
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
import { adapterIn, attemptFolder, checkpointsIn, findResumable, outputsIn } from './resume.ts';
import { runOnServer } from './run-job.ts';
import type { JobOutcome } from './run-job.ts';
import type { Supervision } from './supervision.ts';

const METRICS = 'metrics.jsonl';

/** One step or eval event, as it stands in the metrics artefact. */
export type MetricsRow = Extract<TrainerEvent, { event: 'step' | 'eval' }>;

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
  const metrics = resume === null ? [] : await readMetrics(resume.directory, resume.step);
  const queue = uploadBehind(deps, options);
  if (resume !== null) {
    log.info(`going on from step ${resume.step}`, { from: resume.local ? 'this host' : 'S3' });
    if (resume.local) queue.add({ ...resume, evalLoss: lastEvalLoss(metrics) });
  }
  await mkdir(place.outputDir, { recursive: true });
  const jobFile = join(folder, 'job.json');
  await writeFile(
    jobFile,
    JSON.stringify(options.jobFor({ ...place, resumeFrom: resume?.directory ?? null }), null, 2),
  );

  account.began(resume?.step ?? 0);
  const pace = trackPace();
  const follow = followEvents({ ...options, metrics, queue, pace });
  const ending = endWithin(deps.graceMs, supervision, pace);
  const stopWatching = watchLease(options);
  try {
    const { stop, kill } = ending;
    const limits = { stop, kill, graceMs: deps.graceMs, stallMs: options.stallMs };
    const outcome = await runOnServer(deps.trainer, jobFile, { onEvent: follow.onEvent, ...limits });
    await follow.settled();
    const ended = { outcome, metrics, queue, skippedSave: ending.skipped() };
    if (outcome.code !== 0) return { ...ended, finished: null };
    const finished = { result: outcome.result, metrics, adapter: adapterIn(folder) };
    // Only an outage of S3 would need it, so a disk that is full now is no reason to fail.
    await keepFinished(folder, finished).catch((error: unknown) =>
      log.warn('the end of the training is not remembered on this host', { reason: String(error) }),
    );
    return { ...ended, finished };
  } finally {
    options.meter.end();
    stopWatching();
  }
}

function uploadBehind(deps: GpuDeps, { lease, keepCheckpoints, supervision, log }: AttemptOptions): UploadQueue {
  return createUploadQueue({
    commit: (saved) => commitCheckpoint(deps.store, lease, saved, { keep: keepCheckpoints }),
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

/** Turns events into heartbeats, metrics and uploads. Checkpoints are handled in order, one after the other. */
function followEvents(options: AttemptOptions & { metrics: MetricsRow[]; queue: UploadQueue; pace: Pace }) {
  const { account, supervision, metrics, queue, log } = options;
  let saving: Promise<unknown> = Promise.resolve();
  let first: { step: number; time: number } | null = null;

  const onStep = (event: Extract<TrainerEvent, { event: 'step' }>): void => {
    metrics.push(event);
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
  const onEvent = (event: TrainerEvent): void => {
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
    else if (event.event === 'eval') metrics.push(event);
    else if (event.event === 'warning') log.warn(`trainer: ${event.message}`, { code: event.code });
    else if (event.event === 'checkpoint') {
      const { step, path: directory } = event;
      // It was written while training went on, so later steps may have been reported meanwhile.
      const upTo = metrics.filter((row) => row.step <= step);
      const rows = upTo.map((row) => `${JSON.stringify(row)}\n`).join('');
      const evalLoss = lastEvalLoss(upTo);
      saving = saving
        .then(() => writeFile(join(directory, METRICS), rows))
        .then(
          () => {
            queue.add({ step, directory, evalLoss });
          },
          (error: unknown) => log.warn(`checkpoint of step ${step} cannot be read`, { reason: String(error) }),
        );
    }
  };
  return { onEvent, settled: () => saving };
}

const lastEvalLoss = (metrics: readonly MetricsRow[]): number | null =>
  metrics.findLast(({ event }) => event === 'eval')?.loss ?? null;

/** Metrics up to a checkpoint's step; none where the trainer was lost before they were added to it. */
async function readMetrics(checkpoint: string, step: number): Promise<MetricsRow[]> {
  const text = await readFile(join(checkpoint, METRICS), 'utf8').catch(() => '');
  const rows = text.split('\n').filter((line) => line !== '');
  return rows.map((line) => JSON.parse(line) as MetricsRow).filter((row) => row.step <= step);
}
