import { existsSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Recipe } from '../../config/recipe.ts';
import type { ArtefactRef } from '../../domain/records.ts';
import { liveRecord, readyFile } from '../../infra/embedded/records.ts';
import { smallBase, smallCorpus, smallPairs, smallRecipe, weightsOf } from '../setup/gpu.ts';
import { freePorts } from '../setup/free-ports.ts';
import { killWhileTraining, pidOf } from '../setup/kills.ts';
import type { Kill } from '../setup/kills.ts';
import { startMetadataServer } from '../setup/metadata-server.ts';
import type { MetadataServer } from '../setup/metadata-server.ts';
import { startTrainingStack } from '../setup/training-stack.ts';
import type { TrainingHandle, TrainingStack } from '../setup/training-stack.ts';

let stack: TrainingStack;
let metricsAddress: string;
let cloud: MetadataServer;
let recipe: Recipe;
let corpus: ArtefactRef;
let pairs: ArtefactRef;

beforeAll(async () => {
  const base = await smallBase();
  const [metricsPort] = await freePorts(1);
  metricsAddress = `127.0.0.1:${metricsPort ?? 0}`;
  cloud = await startMetadataServer();
  const extra = { RATCHET_METRICS_ADDRESS: metricsAddress, GCE_METADATA_HOST: cloud.host };
  stack = await startTrainingStack(['temporal', 's3', 'gpu'], extra);
  const { phaseC } = smallRecipe(base);
  // β changes after the first stage, the third leaves the noisiest pairs out.
  const stages = [
    { epochs: 3, beta: 0.05 },
    { epochs: 3, beta: 0.1, loss: 'cal-dpo' },
    { epochs: 3, beta: 0.1, loss: 'cal-dpo', dropNoisiestShare: 0.15 },
  ];
  recipe = smallRecipe(base, { phaseC: { ...phaseC, stages }, reliability: { heartbeatSeconds: 5 } });
  corpus = await stack.store.putRows('t/corpus.jsonl', smallCorpus(32));
  pairs = await stack.store.putRows('t/pairs.jsonl', smallPairs(40));
});
afterAll(async () => {
  await stack.stop();
  await cloud.stop();
});

/** Long enough for every kill to meet it, however fast the machine. */
const longer = (): Recipe => ({
  ...recipe,
  phaseA: { ...recipe.phaseA, epochs: 5 * recipe.phaseA.epochs },
  phaseC: {
    ...recipe.phaseC,
    stages: recipe.phaseC.stages.map((stage) => ({ ...stage, epochs: 4 * stage.epochs })),
  },
});

const startTraining = (run: string, reliability: Partial<Recipe['reliability']> = {}) => {
  const changed = { ...recipe, reliability: { ...recipe.reliability, ...reliability } };
  return stack.startSft(run, { recipe: changed, corpus, heldOut: null, adapter: null });
};

/** Waits until S3 holds a checkpoint of the run. */
const untilCheckpoint = (run: string): Promise<void> =>
  expect
    .poll(() => stack.store.objects.list(`runs/${run}/`), { timeout: 60_000, interval: 100 })
    .toContainEqual(expect.stringMatching(/step-\d+\/manifest\.json$/));

test('SIGTERM in the middle of a training: the next worker goes on and no step is redone', async () => {
  const handle = await startTraining('told-to-go');
  await untilCheckpoint('told-to-go');
  const before = pidOf(stack.home, 'worker') ?? 0;
  // The supervisor starts another, as a cluster would.
  process.kill(before, 'SIGTERM');
  const result = await handle.result();
  expect(pidOf(stack.home, 'worker')).not.toBe(before);
  expect(result).toMatchObject({ steps: 120, losses: 1, stepsRedone: 0 });
});

test('what the cloud says of the host: handed over, and the worker stays without taking more work', async () => {
  const handle = await startTraining('spot', { preemptionNotice: 'gcp' });
  await untilCheckpoint('spot');
  const worker = pidOf(stack.home, 'worker') ?? 0;
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
  process.kill(pidOf(stack.home, 'worker') ?? 0, 'SIGKILL');
  const result = await handle.result();
  expect(result).toMatchObject({ steps: 120, losses: 1 });
  expect(result.stepsRedone).toBeLessThanOrEqual(2 * Number(recipe.phaseA.checkpointEverySteps));
  // Silent for the heartbeat timeout of 5 s at least, and not much of the worker's life before it counts as waiting.
  expect(result.ledger).toMatchObject({ lost: 1, byKind: { 'host-lost': 1 }, stepsRedone: result.stepsRedone });
  expect(result.ledger?.secondsToNextStep).toBeGreaterThan(3.5);
  const metrics = await (await fetch(`http://${metricsAddress}/metrics`)).text();
  expect(metrics).toMatch(/^ratchet_preemptions_total\{[^}]*phase="A"[^}]*run="lost"[^}]*\} 1$/m);
  expect(metrics).toMatch(/^ratchet_recovery_seconds_count\{[^}]*run="lost"[^}]*\} 1$/m);
});

/** The same training twice, the second time with kills. */
async function expectSameAdapter(start: (run: string) => Promise<TrainingHandle>, kills: Kill[]): Promise<void> {
  const expected = await (await start('undisturbed')).result();
  const handle = await start('killed');
  expect(await killWhileTraining(stack, handle, kills)).toBe(kills.length);
  const result = await handle.result();
  expect(result.losses).toBeGreaterThanOrEqual(kills.length);
  expect(await weightsOf(stack.store, result.adapter)).toBe(await weightsOf(stack.store, expected.adapter));
}

test('Phase A, with trainer and worker killed: the same adapter', async () => {
  await expectSameAdapter(
    (run) => stack.startSft(`A-${run}`, { recipe: longer(), corpus, heldOut: null, adapter: null }),
    [
      { victim: 'job', afterMs: 300 },
      { victim: 'worker', afterMs: 500 },
    ],
  );
});

test('Phase C, killed across its change of β and its filter of pairs: the same adapter', async () => {
  const { adapter } = await (await startTraining('for-C')).result();
  await expectSameAdapter(
    (run) => stack.startDpo(`C-${run}`, { recipe: longer(), pairs, adapter }),
    [
      { victim: 'job', afterMs: 200 },
      { victim: 'job', afterMs: 400 },
    ],
  );
});
