import { join } from 'node:path';
import { createGpuActivities } from '../activities/gpu-activities.ts';
import { resolveBase } from '../activities/training/base-model.ts';
import { createTrainerServer } from '../activities/training/trainer-server.ts';
import { runWorker } from './process.ts';

/** Share of the grace that the trainer gets for its last checkpoint; the rest is for sending it to S3. */
const TRAINER_SHARE = 0.6;

/** The GPU worker: one job at a time, by a trainer that stays warm between jobs. */
await runWorker('gpu', async ({ surroundings, log, store, notice, giveNotice }) => {
  const { home, tinyBase, graceMs, python, keepWork, metadata } = surroundings;
  const bases = { tiny: tinyBase };
  const preload = await resolveBase(store, bases, surroundings.preloadBase ?? 'builtin:tiny');
  const trainer = createTrainerServer({ python, preload, log });
  // Warmed up while the worker polls already; a job that comes before waits for it.
  trainer
    .socket()
    .catch((error: unknown) => log.warn('the trainer could not be started ahead of time', { reason: String(error) }));
  const workDir = join(home, 'work');
  return {
    taskQueue: 'ratchet-gpu',
    activities: createGpuActivities({
      store,
      trainer,
      workDir,
      bases,
      log,
      notice,
      giveNotice,
      metadata,
      keepWork,
      graceMs: graceMs * TRAINER_SHARE,
    }),
    maxConcurrentActivities: 1,
    graceMs,
    close: () => trainer.stop(),
  };
});
