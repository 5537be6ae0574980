import { ActivityFailure, ApplicationFailure } from '@temporalio/workflow';
import { Reliability } from '../../config/reliability.ts';
import { batchTasks, gpuTasks, orchestrator } from '../../workflows/tasks.ts';

/** How one activity ended for the workflow that called it. */
export type Tried = { type: string | null; message: string; causes: string[]; answer?: unknown };

const purse = {
  spend: <T>(work: (room: { capUsd: number; spentUsd: number }) => Promise<T>): Promise<T> =>
    work({ capUsd: 1, spentUsd: 0 }),
};

async function ending(work: () => Promise<unknown>): Promise<Tried> {
  try {
    return { type: null, message: '', causes: [], answer: await work() };
  } catch (error) {
    if (!(error instanceof ActivityFailure && error.cause instanceof ApplicationFailure)) throw error;
    const { type, message, cause } = error.cause;
    return { type: type ?? null, message, causes: cause instanceof Error ? [`${cause.name}: ${cause.message}`] : [] };
  }
}

/** Calls an activity of the gpu and one of the api worker for each kind of error, all at once, by ratchet's own policies. */
export async function tryKinds({ kinds, retries }: { kinds: string[]; retries: number }): Promise<Tried[][]> {
  const reliability = { ...Reliability.parse({}), maxInfrastructureRetries: retries };
  const gpu = gpuTasks(reliability, purse);
  const api = batchTasks(reliability);
  return Promise.all(
    kinds.map((kind) =>
      Promise.all([
        ending(() => gpu.evaluate({ kind } as never)),
        ending(() => api.lookAtBatches({ kind } as never)),
        ending(() => api.collectBatch({ kind } as never)),
      ]),
    ),
  );
}

/** One activity that the worker of its queue does not have. */
export const tryMissing = ({ retries }: { retries: number }): Promise<Tried> =>
  ending(() => batchTasks({ ...Reliability.parse({}), maxInfrastructureRetries: retries }).cancelBatches({} as never));

/** One of the orchestrator's own. */
export const tryOrchestrator = ({ kind }: { kind: string }): Promise<Tried> =>
  ending(() => orchestrator.loadState({ run: kind }));
