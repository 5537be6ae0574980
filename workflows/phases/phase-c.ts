import type { Recipe } from '../../config/recipe.ts';
import type { ArtefactRef, EvaluationMode } from '../../domain/records.ts';
import { gpuTasks, orchestrator } from '../tasks.ts';
import { attemptRecipe, attemptRecord, tellLedger } from './phase.ts';
import type { PhaseInput, PhaseResult } from './phase.ts';

/**
 * Phase C, preference optimisation: pairs from drafts and teacher, DPO by schedule, and the experiments that Gate C
 * is shown: the same questions with their drafts, without, and with somebody else's; the answers attributed to the prompt.
 */
export async function phaseC(input: PhaseInput): Promise<PhaseResult> {
  const { run, data, drafts, teacher, adapter } = input;
  const scope = { run, phase: 'C', attempt: input.attempt } as const;
  const recipe = attemptRecipe(input);
  const gpu = gpuTasks(recipe.reliability);
  if (adapter === null) throw new Error('Phase C needs an adapter as its reference model.');

  const pairs = await orchestrator.buildPairs({
    scope,
    recipe,
    questions: data.train,
    drafts: drafts.train,
    responses: teacher.responses,
  });
  const training = await gpu.trainDpo({ scope, recipe, pairs: pairs.rows, adapter });
  tellLedger(training);

  const evaluate = (mode: EvaluationMode) =>
    gpu.evaluate({
      scope,
      recipe,
      name: `C${input.attempt}/${mode}`,
      mode,
      questions: data.evaluation,
      drafts: mode === 'direct' ? null : drafts.evaluation,
      adapter: training.adapter,
    });
  const reasoning = await evaluate('reasoning');
  const noDraft = await evaluate('no-draft');
  const shuffledDraft = await evaluate('shuffled-draft');
  const direct = await evaluate('direct');

  const evaluations = [reasoning, noDraft, shuffledDraft, direct];
  const attempt = attemptRecord(input, pairs, training, evaluations);

  if (attributes(recipe)) {
    const attribute = async (name: 'before' | 'after', of: ArtefactRef) => {
      const evaluation = reasoning.summary.items;
      const asked = { questions: data.evaluation, drafts: drafts.evaluation, evaluation };
      const { summary, gpuSeconds } = await gpu.attribute({ scope, recipe, name, ...asked, adapter: of });
      attempt.gpuSeconds += gpuSeconds;
      return summary;
    };
    const before = await attribute('before', adapter);
    attempt.experiments = {
      ...attempt.experiments,
      attribution: { before, after: await attribute('after', training.adapter) },
    };
  }
  return { attempt, teacher, teacherUsd: 0, teacherCalls: 0 };
}

/** Not in recipes of runs that an older version began, whose histories go on as they were. */
const attributes = ({ phaseC }: { phaseC: Partial<Recipe['phaseC']> }): boolean =>
  phaseC.experiments !== undefined && phaseC.experiments.attribution !== 'off';
