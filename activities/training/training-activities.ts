import type { DpoJob, SftJob } from '../../config/trainer-job.ts';
import type { GpuActivities, Scope } from '../contract.ts';
import { cachedFolder } from '../store/folders.ts';
import { resolveBase } from './base-model.ts';
import type { GpuDeps } from './gpu-deps.ts';
import { dpoJob, sftJob } from './jobs.ts';
import type { Place } from './jobs.ts';
import { train } from './train.ts';

/** In the identity of a training, in place of paths: results do not depend on where things lie. */
const nowhere: Place = { id: '', outputDir: '', checkpoints: '', resumeFrom: null };

/** Without when checkpoints are made: the result's bytes do not depend on that. */
const identityOf = (job: SftJob | DpoJob): unknown => ({ ...job, checkpointing: undefined });

/** `C2`, or `arm-cal-1` of an ablation. */
const labelOf = ({ phase, attempt }: Scope): string => `${phase}${phase === 'C' ? '' : '-'}${attempt}`;

/** `trainSft` and `trainDpo` of the contract; see {@link train} for what they promise. */
export function createTrainingActivities(deps: GpuDeps): Pick<GpuActivities, 'trainSft' | 'trainDpo'> {
  const { store, bases } = deps;
  return {
    trainSft: ({ scope, budget, recipe, phase, corpus, heldOut, adapter }) => {
      const settings = phase === 'A' ? recipe.phaseA : recipe.phaseB;
      const digests = { train: corpus.sha256, heldOut: heldOut?.sha256 ?? null, adapter: adapter?.sha256 ?? null };
      return train(deps, {
        ...{ scope, budget, recipe, kind: 'sft', label: `${phase}${scope.attempt}` },
        identity: identityOf(sftJob(recipe, phase, { base: recipe.model.base, ...digests }, nowhere, null)),
        batchSize: settings.batchSize,
        everySteps: settings.checkpointEverySteps,
        prepare: async () => {
          const inputs = {
            base: await resolveBase(store, bases, recipe.model.base),
            train: await store.fetch(corpus),
            heldOut: heldOut && (await store.fetch(heldOut)),
            adapter: adapter && (await cachedFolder(store, adapter)),
          };
          return (place, microBatch) => sftJob(recipe, phase, inputs, place, microBatch);
        },
      });
    },

    trainDpo: ({ scope, budget, recipe, pairs, adapter }) => {
      const digests = { pairs: pairs.sha256, adapter: adapter.sha256 };
      return train(deps, {
        ...{ scope, budget, recipe, kind: 'dpo', label: labelOf(scope) },
        identity: identityOf(dpoJob(recipe, { base: recipe.model.base, ...digests }, nowhere, null)),
        batchSize: recipe.phaseC.batchSize,
        everySteps: recipe.phaseC.checkpointEverySteps,
        prepare: async () => {
          const inputs = {
            base: await resolveBase(store, bases, recipe.model.base),
            pairs: await store.fetch(pairs),
            adapter: await cachedFolder(store, adapter),
          };
          return (place, microBatch) => dpoJob(recipe, inputs, place, microBatch);
        },
      });
    },
  };
}
