import type { Recipe } from '../../config/recipe.ts';
import type { FailedExperiment } from '../../domain/gate-types.ts';
import type { Experiments } from '../../domain/programme.ts';
import type { ArtefactRef } from '../../domain/records.ts';
import type { Purse } from '../purse.ts';
import { gpuTasks } from '../tasks.ts';
import { orFailed } from './experiment.ts';
import { attemptRecipe } from './phase.ts';
import type { PhaseInput } from './phase.ts';

type Attributions = {
  /** Null where it failed, as `failed` says. */
  found: NonNullable<Experiments['attribution']> | null;
  failed: FailedExperiment | null;
  gpuSeconds: number;
};

/** Not in recipes of runs that an older version began, whose histories go on as they were. */
const asksFor = ({ phaseC }: { phaseC: Partial<Recipe['phaseC']> }): boolean =>
  phaseC.experiments !== undefined && phaseC.experiments.attribution !== 'off';

/**
 * What the answers rest on: those of one evaluation, attributed under the adapter that DPO began with and under the one
 * that it made. Null where the recipe does not ask for it.
 *
 * @param evaluation rows of the trained adapter's answers
 */
export async function attributions(
  input: PhaseInput,
  purse: Purse,
  evaluation: ArtefactRef,
  adapters: Record<'before' | 'after', ArtefactRef>,
): Promise<Attributions | null> {
  const { run, phase, attempt, data, drafts } = input;
  const recipe = attemptRecipe(input);
  if (!asksFor(recipe)) return null;
  const gpu = gpuTasks(recipe.reliability, purse);
  const asked = {
    ...{ scope: { run, phase, attempt }, recipe },
    ...{ questions: data.evaluation, drafts: drafts.evaluation, evaluation },
  };
  const made: Attributions = { found: null, failed: null, gpuSeconds: 0 };
  made.failed = await orFailed('attribution', async () => {
    const before = await gpu.attribute({ ...asked, name: 'before', adapter: adapters.before });
    made.gpuSeconds += before.gpuSeconds;
    const after = await gpu.attribute({ ...asked, name: 'after', adapter: adapters.after });
    made.gpuSeconds += after.gpuSeconds;
    made.found = { before: before.summary, after: after.summary };
  });
  return made;
}
