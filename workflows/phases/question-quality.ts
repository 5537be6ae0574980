import type { FailedExperiment } from '../../domain/gate-types.ts';
import type { QuestionQuality } from '../../domain/question-quality.ts';
import type { ArtefactRef } from '../../domain/records.ts';
import type { Purse } from '../purse.ts';
import { apiTasks, gpuTasks } from '../tasks.ts';
import { orFailed } from './experiment.ts';
import type { PhaseInput } from './phase.ts';

/** What the experiment found and what it took, as far as it came; nothing where the recipe has no judge. */
export type JudgedQuality = {
  /** Null where it failed, as `failed` says. */
  found: QuestionQuality | null;
  failed: FailedExperiment | null;
  gpuSeconds: number;
  judgeUsd: number;
  judgeCalls: number;
};

/**
 * Question quality: the attempt's adapter drafts on the evaluated questions as the bare base did, and a judge compares
 * what the two ask. Sample and seeds are the recipe's own, the same for every attempt.
 */
export async function questionQuality(
  input: PhaseInput,
  purse: Purse,
  adapter: ArtefactRef,
): Promise<JudgedQuality | null> {
  const { run, phase, attempt, recipe, data, drafts } = input;
  if (recipe.judge === undefined) return null;
  const scope = { run, phase, attempt } as const;
  const name = 'question-quality';
  const { items } = recipe.judge;
  const made: JudgedQuality = { found: null, failed: null, gpuSeconds: 0, judgeUsd: 0, judgeCalls: 0 };
  const draftAndJudge = async (): Promise<void> => {
    const drafted = await gpuTasks(recipe.reliability, purse).generateDrafts({
      ...{ scope, recipe, questions: data.evaluation, adapter, name },
      sample: { items, seed: recipe.seed },
    });
    made.gpuSeconds = drafted.gpuSeconds;
    const judged = await apiTasks(recipe.reliability, purse).judgePairs({
      ...{ scope, recipe, name, questions: data.evaluation, before: drafts.evaluation, after: drafted.drafts },
    });
    made.found = { ...judged.summary, verdicts: judged.verdicts, drafts: drafted.drafts };
    Object.assign(made, { judgeUsd: judged.costUsd, judgeCalls: judged.calls });
  };
  made.failed = await orFailed(name, draftAndJudge, ({ judgeUsd = 0, judgeCalls = 0 }) => {
    Object.assign(made, { judgeUsd, judgeCalls });
  });
  return made;
}
