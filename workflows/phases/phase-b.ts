import { attemptsAsked } from '../../domain/teacher-wordings.ts';
import { gpuTasks, orchestrator } from '../tasks.ts';
import { phasePurse } from '../purse.ts';
import type { Purse } from '../purse.ts';
import { askTeacher } from '../teacher-batches.ts';
import { attemptRecipe, attemptRecord, ofAProgramme, tellLedger } from './phase.ts';
import type { PhaseInput, PhaseResult } from './phase.ts';

/**
 * Phase B, chain-of-thought distillation from the Phase A adapter: question + draft → reasoning + answer. Evaluated with
 * reasoning and without, so that the gate can tell whether the reasoning is what helps.
 */
export async function phaseB(input: PhaseInput): Promise<PhaseResult> {
  ofAProgramme();
  const { run, data, drafts } = input;
  const scope = { run, phase: 'B', attempt: input.attempt } as const;
  const recipe = attemptRecipe(input);
  const purse = phasePurse(recipe, input.budget);
  const gpu = gpuTasks(recipe.reliability, purse);
  const questions = data.train;

  const asked = await askWhatIsMissing(input, purse, attemptsAsked(recipe.phaseB));
  const corpus = await orchestrator.buildReasoningCorpus({
    scope,
    recipe,
    questions,
    drafts: drafts.train,
    responses: asked.teacher.responses,
  });
  const training = await gpu.trainSft({
    scope,
    recipe,
    phase: 'B',
    corpus: corpus.rows,
    heldOut: corpus.heldOut,
    adapter: input.adapter,
  });
  tellLedger(training);

  const evaluate = (mode: 'reasoning' | 'direct') =>
    gpu.evaluate({
      scope,
      recipe,
      name: `B${input.attempt}/${mode}`,
      mode,
      questions: data.evaluation,
      drafts: mode === 'direct' ? null : drafts.evaluation,
      adapter: training.adapter,
    });
  const reasoning = await evaluate('reasoning');
  const direct = await evaluate('direct');

  return { attempt: attemptRecord(input, corpus, training, [reasoning, direct]), ...asked };
}

async function askWhatIsMissing(
  input: PhaseInput,
  purse: Purse,
  attempts: number,
): Promise<Omit<PhaseResult, 'attempt'>> {
  const { run, recipe, data, drafts, teacher } = input;
  const redesigned = input.remedies?.templates !== undefined;
  if (attempts <= teacher.attempts && !redesigned) return { teacher, teacherUsd: 0, teacherCalls: 0 };
  const scope = { run, phase: 'teacher', attempt: input.attempt } as const;
  const asked = await askTeacher({ scope, recipe, questions: data.train, drafts: drafts.train, attempts }, purse);
  const { responses, report, server } = asked;
  return {
    teacher: { responses, attempts, name: asked.teacher, ...(server !== undefined && { server }), report },
    teacherUsd: asked.costUsd,
    teacherCalls: asked.calls,
  };
}
