import { afterAll, beforeAll, expect, test } from 'vitest';
import type { GpuActivities } from '../../../activities/contract.ts';
import type { Store } from '../../../activities/store/store.ts';
import type { TrainerServer } from '../../../activities/training/trainer-server.ts';
import type { Recipe } from '../../../config/recipe.ts';
import type { ArtefactRef } from '../../../domain/records.ts';
import { newHost, smallRecipe, startActivity } from '../../setup/gpu.ts';
import type { TestHost } from '../../setup/gpu.ts';
import { startMetadataServer } from '../../setup/metadata-server.ts';
import type { TestS3 } from '../../setup/s3.ts';
import { startTrainingRig } from '../../setup/training-rig.ts';
import type { TrainingRig } from '../../setup/training-rig.ts';

let rig: TrainingRig;
let s3: TestS3;
let store: Store;
let trainer: TrainerServer;
let recipe: Recipe;
let corpus: ArtefactRef;

beforeAll(async () => {
  rig = await startTrainingRig();
  ({ s3, store, trainer, corpus } = rig);
  recipe = smallRecipe(rig.base);
});
afterAll(() => rig.stop());

type SftInput = Parameters<GpuActivities['trainSft']>[0];
const train = (run: string, host: TestHost, changed: Partial<Recipe['reliability']> = {}) => {
  const scope = { run, phase: 'A', attempt: 1 } as const;
  const changedRecipe = { ...recipe, reliability: { ...recipe.reliability, ...changed } };
  const input: SftInput = { scope, recipe: changedRecipe, phase: 'A', corpus, heldOut: null, adapter: null };
  return startActivity((given: SftInput) => host.activities.trainSft(given), input);
};
const endOf = (result: Promise<unknown>): Promise<unknown> => result.catch((reason: unknown) => reason);

test('a grace too short for a save: the trainer ends at once, and the last whole checkpoint is what counts', async () => {
  // No step and save fit into a millisecond.
  const host = newHost(s3, trainer, store, { graceMs: 1 });
  const first = train('short-grace', host);
  const seen = await first.until(({ checkpointStep }) => (checkpointStep ?? 0) >= 20);
  host.giveNotice();
  const error = await endOf(first.result);
  expect(error).toMatchObject({ type: 'GpuLost' });
  expect((error as Error).message).toMatch(
    /^this worker was told to go; grace of 0.001 s is too short for a save of [\d.]+ s; kept: step \d+ at s3:/,
  );
  const kept = Number(/kept: step (\d+)/.exec((error as Error).message)?.[1]);
  // A checkpoint by the recipe's interval, not one of the moment.
  expect(kept % Number(recipe.phaseA.checkpointEverySteps)).toBe(0);
  expect(kept).toBeGreaterThanOrEqual(seen.checkpointStep ?? Infinity);
  const result = await train('short-grace', newHost(s3, trainer, store)).result;
  expect(result).toMatchObject({ steps: 120, losses: 1, ledger: { byKind: { notice: 1 } } });
});

test('before the first save nobody knows how long one takes, so it is tried', async () => {
  const host = newHost(s3, trainer, store, { graceMs: 20_000 });
  const first = train('first-save', host);
  await first.until(({ done }) => done > 0);
  host.giveNotice();
  expect((await endOf(first.result)) as Error).toMatchObject({
    message: expect.stringMatching(/told to go; kept: step/) as unknown,
  });
});

test('what the cloud says of this host is a notice: saved, handed over, no step redone', async () => {
  const server = await startMetadataServer();
  try {
    const host = newHost(s3, trainer, store, { metadata: { aws: server.url, gcp: server.url } });
    const first = train('spot', host, { preemptionNotice: 'gcp' });
    await first.until(({ done }) => done > 0);
    server.setGoing(true);
    expect(await endOf(first.result)).toMatchObject({ type: 'GpuLost' });
    // The switch is off here, so that the service of the lost host is not asked.
    const result = await train('spot', newHost(s3, trainer, store)).result;
    expect(result).toMatchObject({ steps: 120, losses: 1, stepsRedone: 0, ledger: { byKind: { notice: 1 } } });
  } finally {
    await server.stop();
  }
});
