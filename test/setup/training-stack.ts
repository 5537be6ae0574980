import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import type { WorkflowHandle } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import type { GpuActivities, TrainerProgress, TrainingResult } from '../../activities/contract.ts';
import { createS3Client } from '../../activities/store/client.ts';
import { createStore } from '../../activities/store/store.ts';
import type { Store } from '../../activities/store/store.ts';
import { projectRoot, readEnvironment } from '../../config/environment.ts';
import type { ServiceName } from '../../infra/embedded/index.ts';
import { readyFile } from '../../infra/embedded/records.ts';
import { projectNode } from '../../infra/embedded/services.ts';
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
};

/** Starts it; `stop` ends everything. */
export async function startTrainingStack(services: readonly ServiceName[]): Promise<TrainingStack> {
  // Outages are what is tested: their warnings are no news.
  const logging = { filter: { core: 'ERROR', other: 'ERROR' }, forward: {} } as const;
  Runtime.install({ logger: new DefaultLogger('ERROR'), telemetryOptions: { logging } });
  const stack = await startTestStack(services);
  const address = stack.env['TEMPORAL_ADDRESS'] ?? '';
  const client = new Client({ connection: await Connection.connect({ address }) });
  const connection = await NativeConnection.connect({ address });
  const workflowsPath = join(import.meta.dirname, 'one-activity.ts');
  const worker = await Worker.create({ connection, taskQueue: 'test', workflowsPath });
  const working = worker.run();
  const surroundings = readEnvironment(stack.env);
  const s3 = createS3Client(surroundings.s3);
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
    stop: async () => {
      worker.shutdown();
      await working;
      await connection.close();
      await client.connection.close();
      s3.destroy();
      await stack.stop();
    },
  };
}

/** A gpu worker that nobody starts again, with disk and caches of its own: a host, as it were. */
export type GpuHost = { home: string; pid: number; kill: (signal: NodeJS.Signals) => void; ended: Promise<unknown> };

/** Resolves when it polls, with a warm trainer. */
export async function startGpuHost(
  stack: TestStack,
  name: string,
  extra: Record<string, string> = {},
): Promise<GpuHost> {
  const home = join(stack.home, name);
  mkdirSync(home);
  const ready = readyFile(home, 'gpu');
  const log = openSync(join(home, 'gpu.log'), 'a');
  const env = { ...stack.env, RATCHET_SERVICE: name, RATCHET_HOME: home, RATCHET_READY_FILE: ready, ...extra };
  const script = join(projectRoot, 'workers', 'gpu.ts');
  const child: ChildProcess = spawn(projectNode(), [script], { env, stdio: ['ignore', log, log] });
  const ended = once(child, 'exit');
  const pid = child.pid ?? 0;
  while (!existsSync(ready) || !readFileSync(join(home, 'gpu.log'), 'utf8').includes('trainer is warm')) {
    if (child.exitCode !== null) throw new Error(readFileSync(join(home, 'gpu.log'), 'utf8').slice(-2_000));
    await delay(50);
  }
  return {
    ...{ home, pid, ended },
    kill: (signal) => {
      if (child.exitCode === null) child.kill(signal);
    },
  };
}
