import { gpuTasks, orchestrator } from '../tasks.ts';
import { phasePurse } from '../purse.ts';
import { attemptRecipe, attemptRecord, ofAProgramme, tellLedger } from './phase.ts';
import type { PhaseInput, PhaseResult } from './phase.ts';

/** Phase A, baseline SFT: `question → yes/no`, then the held-out questions, answered directly. */
export async function phaseA(input: PhaseInput): Promise<PhaseResult> {
  ofAProgramme();
  const scope = { run: input.run, phase: 'A', attempt: input.attempt } as const;
  const recipe = attemptRecipe(input);
  const purse = phasePurse(recipe, input.budget);
  const gpu = gpuTasks(recipe.reliability, purse);

  const corpus = await orchestrator.buildAnswerCorpus({ scope, recipe, questions: input.data.train });
  const training = await gpu.trainSft({
    scope,
    recipe,
    phase: 'A',
    corpus: corpus.rows,
    heldOut: corpus.heldOut,
    adapter: input.adapter,
  });
  tellLedger(training);
  const direct = await gpu.evaluate({
    scope,
    recipe,
    name: `A${input.attempt}/direct`,
    mode: 'direct',
    questions: input.data.evaluation,
    drafts: null,
    adapter: training.adapter,
  });

  const attempt = attemptRecord(input, corpus, training, [direct]);
  return { attempt, teacher: input.teacher, teacherUsd: 0, teacherCalls: 0 };
}
