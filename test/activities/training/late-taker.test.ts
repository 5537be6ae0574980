import { afterAll, beforeAll, expect, test } from 'vitest';
import type { GpuActivities, TrainerProgress } from '../../../activities/contract.ts';
import { newHost, smallRecipe, startActivity, weightsOf } from '../../setup/gpu.ts';
import type { TestHost } from '../../setup/gpu.ts';
import { startTrainingRig } from '../../setup/training-rig.ts';
import type { TrainingRig } from '../../setup/training-rig.ts';

type SftInput = Parameters<GpuActivities['trainSft']>[0];

let rig: TrainingRig;
beforeAll(async () => {
  rig = await startTrainingRig();
});
afterAll(() => rig.stop());

test('a worker that was paused before it took its lease does not take it from the live attempt when it wakes', async () => {
  const input = (run: string): SftInput => ({
    ...{ scope: { run, phase: 'A', attempt: 1 }, recipe: smallRecipe(rig.base), phase: 'A' },
    ...{ corpus: rig.corpus, heldOut: null, adapter: null },
  });
  const train = (host: TestHost, run: string, previous?: TrainerProgress) =>
    startActivity((given: SftInput) => host.activities.trainSft(given), input(run), previous);

  const asleep = Promise.withResolvers<undefined>();
  const isAtTheLease = Promise.withResolvers<undefined>();
  const paused = rig.s3.newStore();
  const { swap } = paused.objects;
  paused.objects.swap = async (...how) => {
    isAtTheLease.resolve(undefined);
    await asleep.promise;
    return swap(...how);
  };
  const zombie = train(newHost(rig.s3, rig.trainer, paused), 'late');
  await isAtTheLease.promise;

  const previous: TrainerProgress = { kind: 'sft', label: 'A1', done: 0, total: 0, startedAt: 1 };
  const live = train(newHost(rig.s3, rig.trainer), 'late', previous);
  await live.until(({ checkpointStep }) => (checkpointStep ?? 0) >= 20);
  asleep.resolve(undefined);
  await expect(zombie.result).rejects.toMatchObject({ type: 'LeaseLost' });
  const result = await live.result;
  expect(result).toMatchObject({ steps: 120, losses: 0, stepsRedone: 0 });
  const undisturbed = await train(newHost(rig.s3, rig.trainer), 'undisturbed').result;
  expect(await weightsOf(rig.store, result.adapter)).toBe(await weightsOf(rig.store, undisturbed.adapter));
});
