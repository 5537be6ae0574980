import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Recipe } from '../../config/recipe.ts';
import type { ArtefactRef } from '../../domain/records.ts';
import { readyFile } from '../../infra/embedded/records.ts';
import { smallBase, smallCorpus, smallRecipe } from '../setup/gpu.ts';
import { startTrainingStack } from '../setup/training-stack.ts';
import type { TrainingStack } from '../setup/training-stack.ts';

let stack: TrainingStack;
let recipe: Recipe;
let corpus: ArtefactRef;

beforeAll(async () => {
  const base = await smallBase();
  stack = await startTrainingStack(['temporal', 's3', 'gpu']);
  recipe = smallRecipe(base, { reliability: { heartbeatSeconds: 5 } });
  corpus = await stack.store.putRows('t/corpus.jsonl', smallCorpus(32));
});
afterAll(() => stack.stop());

const startTraining = (run: string) => stack.startSft(run, { recipe, corpus, heldOut: null, adapter: null });
const pidOfWorker = (): number =>
  (JSON.parse(readFileSync(readyFile(stack.home, 'gpu'), 'utf8')) as { pid: number }).pid;

/** Waits until S3 holds a checkpoint of the run. */
const untilCheckpoint = (run: string): Promise<void> =>
  expect
    .poll(() => stack.store.objects.list(`runs/${run}/`), { timeout: 60_000, interval: 100 })
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

test('SIGKILL of the worker: the next one goes on after the heartbeat timeout', async () => {
  const handle = await startTraining('lost');
  await untilCheckpoint('lost');
  process.kill(pidOfWorker(), 'SIGKILL');
  const result = await handle.result();
  expect(result).toMatchObject({ steps: 120, losses: 1 });
  expect(result.stepsRedone).toBeLessThanOrEqual(2 * recipe.phaseA.checkpointEverySteps);
});
