import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Recipe } from '../../config/recipe.ts';
import type { ArtefactRef } from '../../domain/records.ts';
import { smallBase, smallCorpus, smallPairs, smallRecipe, weightsOf } from '../setup/gpu.ts';
import { killWhileTraining, pidOf } from '../setup/kills.ts';
import type { Kill } from '../setup/kills.ts';
import { startTrainingStack } from '../setup/training-stack.ts';
import type { TrainingHandle, TrainingStack } from '../setup/training-stack.ts';

let stack: TrainingStack;
let recipe: Recipe;
let corpus: ArtefactRef;
let pairs: ArtefactRef;

beforeAll(async () => {
  const base = await smallBase();
  stack = await startTrainingStack(['temporal', 's3', 'gpu']);
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
afterAll(() => stack.stop());

const startTraining = (run: string) => stack.startSft(run, { recipe, corpus, heldOut: null, adapter: null });

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
    (run) => startTraining(`A-${run}`),
    [
      { victim: 'job', afterMs: 300 },
      { victim: 'worker', afterMs: 500 },
    ],
  );
});

test('Phase C, killed across its change of β and its filter of pairs: the same adapter', async () => {
  const { adapter } = await (await startTraining('for-C')).result();
  await expectSameAdapter(
    (run) => stack.startDpo(`C-${run}`, { recipe, pairs, adapter }),
    [
      { victim: 'job', afterMs: 200 },
      { victim: 'job', afterMs: 400 },
    ],
  );
});
