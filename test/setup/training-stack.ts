import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import type { WorkflowHandle } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import type { GpuActivities, TrainerProgress, TrainingResult } from '../../activities/contract.ts';
import { createS3Client } from '../../activities/store/client.ts';
import { createStore } from '../../activities/store/store.ts';
import type { Store } from '../../activities/store/store.ts';
import { readEnvironment } from '../../config/environment.ts';
import type { ServiceName } from '../../infra/embedded/index.ts';
import { startGpuHost } from './gpu-host.ts';
import type { GpuHost } from './gpu-host.ts';
import { startTestStack } from './stack.ts';
import type { TestStack } from './stack.ts';

type SftInput = Parameters<GpuActivities['trainSft']>[0];
type DpoInput = Parameters<GpuActivities['trainDpo']>[0];
export type TrainingHandle = WorkflowHandle<(input: object) => Promise<TrainingResult>>;

/** A stack whose trainings are started one by one: real Temporal, S3 and gpu workers, and a workflow of one activity. */
export type TrainingStack = TestStack & {
  client: Client;
  store: Store;
  startSft: (run: string, input: Omit<SftInput, 'scope' | 'phase'>) => Promise<TrainingHandle>;
  startDpo: (run: string, input: Omit<DpoInput, 'scope'>) => Promise<TrainingHandle>;
  /** Last heartbeat of the training in progress, as Temporal knows it; null where none runs. */
  progress: (run: string) => Promise<TrainerProgress | null>;
  /** See {@link GpuHost}. Resolves when it polls, with a warm trainer. */
  startGpuHost: (name: string, extra?: Record<string, string>) => Promise<GpuHost>;
};

/** Starts it; `stop` ends everything. */
export async function startTrainingStack(
  services: readonly ServiceName[],
  extra: Record<string, string> = {},
): Promise<TrainingStack> {
  // Outages are what is tested: their warnings are no news.
  const logging = { filter: { core: 'ERROR', other: 'ERROR' }, forward: {} } as const;
  Runtime.install({ logger: new DefaultLogger('ERROR'), telemetryOptions: { logging } });
  const stack = await startTestStack(services, extra);
  const address = stack.env['TEMPORAL_ADDRESS'] ?? '';
  const client = new Client({ connection: await Connection.connect({ address }) });
  const connection = await NativeConnection.connect({ address });
  const workflowsPath = join(import.meta.dirname, 'one-activity.ts');
  const worker = await Worker.create({ connection, taskQueue: 'test', workflowsPath });
  const working = worker.run();
  const surroundings = readEnvironment(stack.env);
  const s3 = createS3Client(surroundings.s3);
  const hosts: GpuHost[] = [];
  const start = (type: string, workflowId: string, input: object): Promise<TrainingHandle> =>
    client.workflow.start(type, { taskQueue: 'test', workflowId, args: [input] });
  return {
    ...stack,
    client,
    store: createStore({ client: s3, bucket: surroundings.bucket, cacheDir: join(stack.home, 'test-cache') }),
    startSft: (run, input) =>
      start('oneTraining', run, { scope: { run, phase: 'A', attempt: 1 }, phase: 'A', ...input }),
    startDpo: (run, input) => start('oneDpoTraining', run, { scope: { run, phase: 'C', attempt: 1 }, ...input }),
    progress: async (run) => {
      const { raw } = await client.workflow.getHandle(run).describe();
      const details = raw.pendingActivities?.[0]?.heartbeatDetails?.payloads?.[0]?.data;
      return details == null ? null : (JSON.parse(Buffer.from(details).toString('utf8')) as TrainerProgress);
    },
    startGpuHost: async (name, extra) => {
      const host = startGpuHost(stack, name, extra);
      hosts.push(host);
      await host.ready;
      return host;
    },
    stop: async () => {
      await Promise.all(hosts.map((host) => host.end()));
      worker.shutdown();
      await working;
      await connection.close();
      await client.connection.close();
      s3.destroy();
      await stack.stop();
    },
  };
}
