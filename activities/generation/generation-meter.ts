import { z } from 'zod';
import type { TrainerEvent } from '../../config/trainer-job.ts';
import { createGpuMeter } from '../training/gpu-meter.ts';
import type { GpuMeter } from '../training/gpu-meter.ts';
import { scopePrefix } from '../training/gpu-deps.ts';
import type { GpuDeps } from '../training/gpu-deps.ts';
import type { Supervision } from '../training/supervision.ts';
import type { GenerationTask } from './generate.ts';

/** GPU time that tries at a generation took before they ended without its result. */
const Earlier = z.object({ gpuSeconds: z.number().min(0) });

/** `during` counts the time of some work, and where it fails keeps it for the next try. */
export type GenerationMeter = Pick<GpuMeter, 'demandRoom' | 'seen' | 'gpuSeconds'> & {
  during: <T>(work: () => Promise<T>) => Promise<T>;
};

/**
 * The meter of a generation, which uses one GPU. A try that ends early writes its time down; of one that was killed its last heartbeat tells.
 *
 * @param digest of what is generated
 */
export async function openMeter(
  { store, log }: GpuDeps,
  task: GenerationTask,
  digest: string,
  supervision: Supervision,
): Promise<GenerationMeter> {
  const { scope, recipe, budget, settings } = task;
  const key = `${scopePrefix(scope)}/generation-${digest}.earlier.json`;
  const found = await store.getJson(key);
  const written = found === null ? 0 : Earlier.parse(found.value).gpuSeconds;
  const earlierGpuSeconds = Math.max(written, supervision.previous?.gpuSeconds ?? 0);
  const meter = createGpuMeter({
    ...{ recipe, budget, gpus: 1, earlierGpuSeconds, supervision },
    stretch: { endsWith: 'batch', units: settings.batchSize },
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
