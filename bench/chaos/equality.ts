import { weightsOf } from '../../test/setup/gpu.ts';
import { killWhileTraining } from '../../test/setup/kills.ts';
import type { Kill, Victim } from '../../test/setup/kills.ts';
import { startTrainingStack } from '../../test/setup/training-stack.ts';
import type { TrainingStack } from '../../test/setup/training-stack.ts';
import { createChance } from './chance.ts';
import { smallTrainings, undisturbedWeights } from './small-trainings.ts';
import type { Training } from './small-trainings.ts';

/** So many trainings of each kind at least, whatever the number of kills. */
const KILLS_PER_RUN = 10;

/**
 * SFT and DPO, killed at random moments through worker, S3 and Temporal, until each has met `kills` kills.
 *
 * @returns adapters whose weights differ from the undisturbed ones
 */
export async function killedTrainings(kills: number, seed: string): Promise<number> {
  const stack = await startTrainingStack(['temporal', 's3', 'gpu']);
  try {
    const { sft, dpo } = await smallTrainings(stack, 100, { heartbeatSeconds: 2, maxInfrastructureRetries: 100 });
    return (await killed(stack, sft, kills, seed)) + (await killed(stack, dpo, kills, seed));
  } finally {
    await stack.stop();
  }
}

async function killed(stack: TrainingStack, training: Training, kills: number, seed: string): Promise<number> {
  const expected = await undisturbedWeights(stack, training);
  const chance = createChance(`${training.kind} ${seed}`);
  function* draw(count: number): Generator<Kill> {
    for (let kill = 0; kill < count; kill += 1) {
      const victim = chance.of<Victim>(['worker', 'fork server', ...Array<Victim>(8).fill('job')]);
      yield { victim, afterMs: chance.between(0, 1_500) };
    }
  }
  let met = 0;
  let differing = 0;
  for (let run = 1; met < kills; run += 1) {
    const handle = await training.start(`${training.kind}-killed-${run}`);
    const here = await killWhileTraining(stack, handle, draw(Math.min(KILLS_PER_RUN, kills - met)));
    const result = await handle.result();
    const same = (await weightsOf(stack.store, result.adapter)) === expected;
    met += here;
    differing += same ? 0 : 1;
    const costs = `${result.steps} steps, ${result.stepsRedone} redone, ${result.losses} attempts lost`;
    console.log(`${training.kind} ${run}: ${here} kills, ${costs}: ${same ? 'the same' : 'ANOTHER'} adapter`);
  }
  console.log(`${training.kind}: ${met} kills, adapters that differ from ${expected.slice(0, 12)}…: ${differing}`);
  return differing;
}
