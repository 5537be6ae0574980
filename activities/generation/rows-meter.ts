import { z } from 'zod';
import type { TrainerEvent } from '../../config/trainer-job.ts';
import { folderOf } from '../scope.ts';
import { createGpuMeter } from '../training/gpu-meter.ts';
import type { GpuMeter } from '../training/gpu-meter.ts';
import type { GpuDeps } from '../training/gpu-deps.ts';
import type { Supervision } from '../training/supervision.ts';
import type { RowsTask } from './rows-job.ts';

/** GPU time that tries at a job took before they ended without its result. */
const Earlier = z.object({ gpuSeconds: z.number().min(0) });

/** `during` counts the time of some work, and where it fails keeps it for the next try. */
export type RowsMeter = Pick<GpuMeter, 'demandRoom' | 'seen' | 'gpuSeconds'> & {
  during: <T>(work: () => Promise<T>) => Promise<T>;
};

/** The meter of a job that uses one GPU. A try that ends early writes its time down; of one that was killed its last heartbeat tells. */
export async function openMeter(
  { store, log }: GpuDeps,
  task: Pick<RowsTask<unknown>, 'scope' | 'recipe' | 'budget' | 'folder' | 'batchSize'>,
  supervision: Supervision,
): Promise<RowsMeter> {
  const { scope, recipe, budget, batchSize } = task;
  const key = `${folderOf(scope)}/${task.folder}.earlier.json`;
  const found = await store.getJson(key);
  const written = found === null ? 0 : Earlier.parse(found.value).gpuSeconds;
  const earlierGpuSeconds = Math.max(written, supervision.previous?.gpuSeconds ?? 0);
  const meter = createGpuMeter({
    ...{ recipe, budget, gpus: 1, earlierGpuSeconds, supervision },
    stretch: { endsWith: 'batch', units: batchSize },
  });
  return {
    ...meter,
    seen: (event: TrainerEvent) => {
      meter.seen(event);
      supervision.report({ gpuSeconds: meter.gpuSeconds() });
    },
    during: async (work) => {
      meter.begin();
      try {
        return await work();
      } catch (error) {
        await store.putJson(key, { gpuSeconds: meter.gpuSeconds() }).catch((reason: unknown) => {
          log.warn('the GPU time of this try is not kept', { reason: String(reason) });
        });
        throw error;
      } finally {
        meter.end();
      }
    },
  };
}
