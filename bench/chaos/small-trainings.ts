import type { Recipe } from '../../config/recipe.ts';
import { smallBase, smallCorpus, smallPairs, smallRecipe, weightsOf } from '../../test/setup/gpu.ts';
import type { TrainingHandle, TrainingStack } from '../../test/setup/training-stack.ts';

/** Starts one kind of training under a name of its own; all of a kind must end with the same weights. */
export type Training = { kind: string; start: (run: string) => Promise<TrainingHandle> };

/** A recipe for the small base: SFT of `epochs` × 4 steps, DPO across a change of β and a filter of noisy pairs. */
async function recipeOf(epochs: number, reliability: Partial<Recipe['reliability']>): Promise<Recipe> {
  const base = await smallBase();
  const { phaseA, phaseC } = smallRecipe(base);
  const stages = [
    { epochs: epochs / 10, beta: 0.05 },
    { epochs: epochs / 10, beta: 0.1, loss: 'cal-dpo' },
    { epochs: epochs / 10, beta: 0.1, loss: 'cal-dpo', dropNoisiestShare: 0.15 },
  ];
  return smallRecipe(base, {
    phaseA: { ...phaseA, epochs, checkpointEverySteps: 10 },
    phaseC: { ...phaseC, stages, checkpointEverySteps: 10 },
    reliability,
  });
}

/** The two kinds of training. The SFT adapter that DPO starts from is trained here. */
export async function smallTrainings(
  stack: TrainingStack,
  epochs: number,
  reliability: Partial<Recipe['reliability']>,
): Promise<{ sft: Training; dpo: Training }> {
  const recipe = await recipeOf(epochs, reliability);
  const corpus = await stack.store.putRows('bench/corpus.jsonl', smallCorpus(32));
  const pairs = await stack.store.putRows('bench/pairs.jsonl', smallPairs(40));
  const startSft = (run: string) => stack.startSft(run, { recipe, corpus, heldOut: null, adapter: null });
  const { adapter } = await (await startSft('sft-undisturbed')).result();
  return {
    sft: { kind: 'sft', start: startSft },
    dpo: { kind: 'dpo', start: (run) => stack.startDpo(run, { recipe, pairs, adapter }) },
  };
}

/** Weights of a training that nothing disturbs, trained once per name. */
export async function undisturbedWeights(stack: TrainingStack, { kind, start }: Training): Promise<string> {
  const { adapter } = await (await start(`${kind}-undisturbed`)).result();
  return weightsOf(stack.store, adapter);
}
