import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { TrainingResult } from '../../activities/contract.ts';
import { createS3Client } from '../../activities/store/client.ts';
import { createStore } from '../../activities/store/store.ts';
import type { Store } from '../../activities/store/store.ts';
import { readEnvironment } from '../../config/environment.ts';
import type { Recipe } from '../../config/recipe.ts';
import type { ArtefactRef } from '../../domain/records.ts';
import { liveRecord, readyFile } from '../../infra/embedded/records.ts';
import { freePorts } from '../setup/free-ports.ts';
import { startMetadataServer } from '../setup/metadata-server.ts';
import type { MetadataServer } from '../setup/metadata-server.ts';
import { smallBase, smallRecipe } from '../setup/gpu.ts';
import { startTestStack } from '../setup/stack.ts';

let stack: Awaited<ReturnType<typeof startTestStack>>;
let client: Client;
let worker: Worker;
let working: Promise<void>;
let store: Store;
let metricsAddress: string;
let cloud: MetadataServer;
let recipe: Recipe;
let corpus: ArtefactRef;
const s3Clients: ReturnType<typeof createS3Client>[] = [];

beforeAll(async () => {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  const base = await smallBase();
  const [metricsPort] = await freePorts(1);
  metricsAddress = `127.0.0.1:${metricsPort ?? 0}`;
  cloud = await startMetadataServer();
  stack = await startTestStack(['temporal', 's3', 'gpu'], {
    ...{ RATCHET_METRICS_ADDRESS: metricsAddress, GCE_METADATA_HOST: cloud.host },
  });
  const address = stack.env['TEMPORAL_ADDRESS'] ?? '';
  client = new Client({ connection: await Connection.connect({ address }) });
  worker = await Worker.create({
    connection: await NativeConnection.connect({ address }),
    taskQueue: 'test',
    workflowsPath: join(import.meta.dirname, '..', 'setup', 'one-activity.ts'),
  });
  working = worker.run();
  const surroundings = readEnvironment(stack.env);
  const s3 = createS3Client(surroundings.s3);
  s3Clients.push(s3);
  store = createStore({ client: s3, bucket: surroundings.bucket, cacheDir: join(stack.home, 'test-cache') });
  recipe = smallRecipe(base);
  const rows = Array.from({ length: 32 }, (_, n) => ({
    prompt: `Question: is ${n} so?\nAnswer:`,
    completion: n % 3 ? ' yes' : ' no',
  }));
  corpus = await store.putRows('t/corpus.jsonl', rows);
});
afterAll(async () => {
  worker.shutdown();
  await working;
  await client.connection.close();
  for (const s3 of s3Clients) s3.destroy();
  await stack.stop();
  await cloud.stop();
});

const startTraining = (run: string, reliability: Partial<Recipe['reliability']> = {}) => {
  const scope = { run, phase: 'A', attempt: 1 };
  const changed = { ...recipe, reliability: { ...recipe.reliability, ...reliability } };
  const args = [{ scope, recipe: changed, phase: 'A', corpus, heldOut: null, adapter: null }];
  return client.workflow.start<(input: unknown) => Promise<TrainingResult>>('oneTraining', {
    taskQueue: 'test',
    workflowId: run,
    args: args as [unknown],
  });
};
const pidOfWorker = (): number =>
  (JSON.parse(readFileSync(readyFile(stack.home, 'gpu'), 'utf8')) as { pid: number }).pid;

/** Waits until S3 holds a checkpoint of the run. */
const untilCheckpoint = (run: string): Promise<void> =>
  expect
    .poll(() => store.objects.list(`runs/${run}/`), { timeout: 60_000, interval: 100 })
    .toContainEqual(expect.stringMatching(/step-\d+\/manifest\.json$/));

test('SIGTERM in the middle of a training: the next worker goes on and no step is redone', async () => {
  const handle = await startTraining('told-to-go');
  await untilCheckpoint('told-to-go');
  const before = pidOfWorker();
  // The supervisor starts another, as a cluster would.
  process.kill(before, 'SIGTERM');
  const result = await handle.result();
  expect(pidOfWorker()).not.toBe(before);
  expect(result).toMatchObject({ steps: 120, losses: 1, stepsRedone: 0 });
});

test('what the cloud says of the host: handed over, and the worker stays without taking more work', async () => {
  const handle = await startTraining('spot', { preemptionNotice: 'gcp' });
  await untilCheckpoint('spot');
  const worker = pidOfWorker();
  cloud.setGoing(true);
  // It takes the ready file away when it polls no more, and is not started again, for it still runs.
  await expect.poll(() => existsSync(readyFile(stack.home, 'gpu'))).toBe(false);
  await expect
    .poll(async () => (await handle.describe()).raw.pendingActivities?.[0]?.lastFailure?.message ?? '')
    .toMatch(/told to go/);
  expect(() => process.kill(worker, 0)).not.toThrow();
  expect(liveRecord(stack.home, 'gpu')?.pid).toBe(worker);
  // The host goes; the next one is another.
  cloud.setGoing(false);
  process.kill(worker, 'SIGTERM');
  expect(await handle.result()).toMatchObject({ steps: 120, losses: 1, stepsRedone: 0 });
});

test('SIGKILL of the worker: the next one goes on after the heartbeat timeout', async () => {
  const handle = await startTraining('lost');
  await untilCheckpoint('lost');
  process.kill(pidOfWorker(), 'SIGKILL');
  const result = await handle.result();
  expect(result).toMatchObject({ steps: 120, losses: 1 });
  expect(result.stepsRedone).toBeLessThanOrEqual(2 * recipe.phaseA.checkpointEverySteps);
  // Silent for the heartbeat timeout of 5 s at least, and not much of the worker's life before it counts as waiting.
  expect(result.ledger).toMatchObject({ lost: 1, byKind: { 'host-lost': 1 }, stepsRedone: result.stepsRedone });
  expect(result.ledger?.secondsToNextStep).toBeGreaterThan(3.5);
  const metrics = await (await fetch(`http://${metricsAddress}/metrics`)).text();
  expect(metrics).toMatch(/^ratchet_preemptions_total\{[^}]*phase="A"[^}]*run="lost"[^}]*\} 1$/m);
  expect(metrics).toMatch(/^ratchet_recovery_seconds_count\{[^}]*run="lost"[^}]*\} 1$/m);
});
