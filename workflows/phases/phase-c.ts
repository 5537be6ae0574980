import type { EvaluationMode } from '../../domain/records.ts';
import { gpuTasks, orchestrator } from '../tasks.ts';
import { phasePurse } from '../purse.ts';
import { attemptRecipe, attemptRecord, ofAProgramme, tellLedger } from './phase.ts';
import type { PhaseInput, PhaseResult } from './phase.ts';
import { attributions } from './attributions.ts';
import { questionQuality } from './question-quality.ts';
import { pairSources } from './round.ts';

/**
 * Phase C, preference optimisation: pairs from drafts and teacher, DPO by schedule, and the experiments that Gate C
 * is shown: the same questions with their drafts, without, and with somebody else's; the answers attributed to the prompt.
 */
export async function phaseC(input: PhaseInput): Promise<PhaseResult> {
  ofAProgramme();
  const { run, data, drafts, teacher, adapter } = input;
  const scope = { run, phase: 'C', attempt: input.attempt } as const;
  const recipe = attemptRecipe(input);
  const purse = phasePurse(recipe, input.budget);
  const gpu = gpuTasks(recipe.reliability, purse);
  if (adapter === null) throw new Error('Phase C needs an adapter as its reference model.');

  const { train, responses, round, gpuSeconds, ...spent } = await pairSources(input, purse);
  const pairs = await orchestrator.buildPairs({ scope, recipe, questions: data.train, drafts: train, responses });
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
  const quality = await questionQuality(input, purse, training.adapter);
  const attribution = await attributions(input, purse, reasoning.summary.items, {
    before: adapter,
    after: training.adapter,
  });

  const attempt = attemptRecord(input, pairs, training, [reasoning, noDraft, shuffledDraft, direct]);
  const failed = [quality?.failed, attribution?.failed].filter((each) => each != null);
  const experiments = {
    ...(quality?.found && { questionQuality: quality.found }),
    ...(attribution?.found && { attribution: attribution.found }),
    ...(failed.length > 0 && { failed }),
  };
  attempt.gpuSeconds += gpuSeconds + (quality?.gpuSeconds ?? 0) + (attribution?.gpuSeconds ?? 0);
  return {
    attempt: { ...attempt, ...(round && { round }), ...((quality ?? attribution) && { experiments }) },
    teacher,
    ...spent,
    ...(quality && { judgeUsd: quality.judgeUsd, judgeCalls: quality.judgeCalls }),
  };
}
