import { globSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Recipe } from '../../config/recipe.ts';
import type { ArtefactRef } from '../../domain/records.ts';
import { smallBase, smallCorpus, smallRecipe, weightsOf } from '../setup/gpu.ts';
import { startTrainingStack } from '../setup/training-stack.ts';
import type { TrainingStack } from '../setup/training-stack.ts';

const HEARTBEAT_SECONDS = 3;
/** Longer than the heartbeat timeout, so that Temporal gives the attempt up when it is back. */
const OUTAGE_MS = 2_500 * HEARTBEAT_SECONDS;

let stack: TrainingStack;
let recipe: Recipe;
let corpus: ArtefactRef;
let undisturbed: string;

beforeAll(async () => {
  const base = await smallBase();
  stack = await startTrainingStack(['temporal', 's3', 'gpu']);
  corpus = await stack.store.putRows('t/corpus.jsonl', smallCorpus(32));
  const { phaseA } = smallRecipe(base);
  recipe = smallRecipe(base, {
    phaseA: { ...phaseA, epochs: 50 },
    reliability: { heartbeatSeconds: HEARTBEAT_SECONDS },
  });
  undisturbed = await weightsOf(stack.store, (await (await start('undisturbed')).result()).adapter);
});
afterAll(() => stack.stop());

const start = (run: string) => stack.startSft(run, { recipe, corpus, heldOut: null, adapter: null });
/** Resolves when the worker has a whole checkpoint on its disk. */
const untilSaved = (run: string): Promise<void> =>
  expect
    .poll(() => globSync(`${stack.home}/work/${run}/**/step-*/trainer_state.json`), { interval: 20 })
    .not.toEqual([]);

test.each<[string, ('temporal' | 's3')[]]>([
  ['Temporal', ['temporal']],
  ['S3', ['s3']],
  ['both', ['temporal', 's3']],
])('%s killed for longer than the heartbeat timeout: no step is lost, the adapter is the same', async (name, gone) => {
  const handle = await start(`without-${name}`);
  await untilSaved(`without-${name}`);
  const bringBack = gone.map((service) => stack.takeAway(service));
  await delay(OUTAGE_MS);
  for (const back of bringBack) back();
  const result = await handle.result();
  expect(result.stepsRedone).toBe(0);
  expect(await weightsOf(stack.store, result.adapter)).toBe(undisturbed);
});
