import { setTimeout as delay } from 'node:timers/promises';
import { weightsOf } from '../../test/setup/gpu.ts';
import { startTrainingStack } from '../../test/setup/training-stack.ts';
import { smallTrainings, undisturbedWeights } from './small-trainings.ts';

/**
 * Temporal, S3 and both, away for so long in the middle of a training, with the default heartbeat timeout of 30 s.
 *
 * @returns trainings that redid a step or ended with other weights
 */
export async function longOutages(seconds: number): Promise<number> {
  const stack = await startTrainingStack(['temporal', 's3', 'gpu']);
  try {
    const { sft } = await smallTrainings(stack, 250, {});
    const expected = await undisturbedWeights(stack, sft);
    let differing = 0;
    for (const gone of [['temporal'], ['s3'], ['temporal', 's3']] as const) {
      const name = gone.join(' and ');
      const run = `without-${gone.join('-')}`;
      const handle = await sft.start(run);
      while (((await stack.progress(run))?.checkpointStep ?? 0) < 10) await delay(100);
      const at = (await stack.progress(run))?.done ?? 0;
      const bringBack = gone.map((service) => stack.takeAway(service));
      await delay(seconds * 1000);
      for (const back of bringBack) back();
      const result = await handle.result();
      const same = (await weightsOf(stack.store, result.adapter)) === expected && result.stepsRedone === 0;
      differing += same ? 0 : 1;
      const costs = `${result.stepsRedone} of ${result.steps} steps redone, ${result.losses} attempts lost`;
      console.log(`${name} away for ${seconds} s from step ${at}: ${costs}, ${same ? 'the same' : 'ANOTHER'} adapter`);
    }
    return differing;
  } finally {
    await stack.stop();
  }
}
