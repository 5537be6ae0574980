import type { z } from 'zod';
import { Distributed } from '../../config/distributed.ts';
import type { DpoJob, SftJob, TrainerJob } from '../../config/trainer-job.ts';
import type { PhaseB, PhaseC, Recipe, Sft } from '../../config/recipe.ts';

/** What an attempt adds to a job: where it works and where it goes on from. */
export type Place = { id: string; outputDir: string; checkpoints: string; resumeFrom: string | null };

/** Micro-batch in place of the recipe's, with the accumulation that keeps the rows per step; null = as the recipe says. */
export type MicroBatch = number | null;

/** Local paths of a job's inputs. */
export type SftInputs = { base: string; train: string; heldOut: string | null; adapter: string | null };
export type DpoInputs = { base: string; pairs: string; adapter: string };

export const baseOf = (recipe: Recipe, path: string): TrainerJob['base'] => ({
  path,
  ...(recipe.model.revision !== undefined && { revision: recipe.model.revision }),
  quantization: recipe.model.use4bit ? 'nf4' : 'none',
  dtype: recipe.model.dtype,
});

/** Nothing where one process trains, so that such a job (and the identity of its training) does not mention it. */
export function distributedOf(recipe: Recipe): Pick<TrainerJob, 'distributed'> {
  // A run that an older version began has a recipe without it.
  const distributed = Distributed.prefault({}).parse(recipe.distributed);
  return distributed.processes > 1 || distributed.allowOtherWorldSize ? { distributed } : {};
}

/** GPUs that a job of the recipe keeps busy. */
export const gpusOf = (recipe: Recipe): number => distributedOf(recipe).distributed?.processes ?? 1;

type Settings = z.infer<typeof Sft> | z.infer<typeof PhaseB> | z.infer<typeof PhaseC>;

function optimisationOf(settings: Settings, microBatch: MicroBatch) {
  const rowsPerStep = settings.batchSize * settings.gradientAccumulation;
  const batchSize = microBatch ?? settings.batchSize;
  return {
    batchSize,
    gradientAccumulation: rowsPerStep / batchSize,
    learningRate: settings.learningRate,
    warmupShare: settings.warmupShare,
    scheduler: settings.scheduler,
    weightDecay: settings.weightDecay,
    maxGradNorm: settings.maxGradNorm,
    maxLength: settings.maxLength,
  };
}

const checkpointing = (recipe: Recipe, settings: Settings, place: Place) => ({
  everySteps: settings.checkpointEverySteps,
  ...(settings.checkpointEverySteps === 'auto' && { maxLostSeconds: recipe.reliability.maxLostSeconds }),
  directory: place.checkpoints,
  ...(place.resumeFrom !== null && { resumeFrom: place.resumeFrom }),
});

/** The job of Phase A or B. */
export function sftJob(
  recipe: Recipe,
  phase: 'A' | 'B',
  inputs: SftInputs,
  place: Place,
  microBatch: MicroBatch,
): SftJob {
  const settings = phase === 'A' ? recipe.phaseA : recipe.phaseB;
  const earlyStopping = phase === 'B' ? recipe.phaseB.earlyStopping : undefined;
  return {
    version: 1,
    kind: 'sft',
    id: place.id,
    seed: recipe.seed,
    base: baseOf(recipe, inputs.base),
    outputDir: place.outputDir,
    ...(inputs.adapter !== null && { adapter: { path: inputs.adapter } }),
    lora: recipe.lora,
    trainFile: inputs.train,
    ...(inputs.heldOut !== null && { evalFile: inputs.heldOut }),
    optimisation: { epochs: settings.epochs, ...optimisationOf(settings, microBatch) },
    packing: settings.packing,
    ...(earlyStopping &&
      inputs.heldOut !== null && { earlyStopping: { patienceEpochs: earlyStopping.patienceEpochs } }),
    checkpointing: checkpointing(recipe, settings, place),
    preflight: { maxTruncatedShare: settings.maxTruncatedShare },
    reportTo: recipe.tracking,
    ...distributedOf(recipe),
  };
}

/** The job of Phase C. */
export function dpoJob(recipe: Recipe, inputs: DpoInputs, place: Place, microBatch: MicroBatch): DpoJob {
  const settings = recipe.phaseC;
  return {
    version: 1,
    kind: 'dpo',
    id: place.id,
    seed: recipe.seed,
    base: baseOf(recipe, inputs.base),
    outputDir: place.outputDir,
    adapter: { path: inputs.adapter },
    pairsFile: inputs.pairs,
    stages: settings.stages.map((stage) => ({
      ...stage,
      calLambda: stage.calLambda ?? 1,
      drBetaPrime: stage.drBetaPrime ?? 1,
    })),
    optimisation: optimisationOf(settings, microBatch),
    checkpointing: checkpointing(recipe, settings, place),
    preflight: { maxTruncatedShare: settings.maxTruncatedShare },
    reportTo: recipe.tracking,
    ...distributedOf(recipe),
  };
}

/** The next smaller micro-batch that keeps the rows per step; null when there is none. */
export const halved = (microBatch: number): number | null => (microBatch % 2 === 0 ? microBatch / 2 : null);
