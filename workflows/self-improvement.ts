import { attemptsAsked } from '../domain/teacher-wordings.ts';
import { ApplicationFailure } from '@temporalio/common';
import type { Recipe } from '../config/recipe.ts';
import type { ProgrammeState, RunStart } from '../domain/programme.ts';
import type { ArtefactRef } from '../domain/records.ts';
import { readStart } from '../domain/start-input.ts';
import { climb, climbRounds } from './climb.ts';
import type { Gatekeeper } from './gatekeeper.ts';
import { createGatekeeper } from './gatekeeper.ts';
import { finish, keep } from './ending.ts';
import type { Outcome } from './ending.ts';
import { adoptOlderRun, adoptRecipe, createProgramme, enter } from './programme.ts';
import { isBudgetStop, runPurse } from './purse.ts';
import type { Purse } from './purse.ts';
import { askTeacher } from './teacher-batches.ts';
import { gpuTasks, orchestrator } from './tasks.ts';

/**
 * Self-improvement on yes/no questions: drafts → teacher → Phase A → gate → Phase B → gate → Phase C → gate → report.
 * Completes as `done` or `stopped` (a gate's `abort`, the budget gate's `stop`); cancelled and failed runs keep their state and report too.
 */
export async function selfImprovement(start: RunStart): Promise<Outcome> {
  const { start: read, refusal } = readStart<RunStart>(start);
  const state = createProgramme(read);
  const gatekeeper = createGatekeeper(state);
  try {
    if (refusal !== null) throw ApplicationFailure.nonRetryable(refusal, 'InvalidRecipe');
    return await climbAll(state, gatekeeper, read).catch((error: unknown) => {
      if (isBudgetStop(error)) return finish(state, 'stopped');
      throw error;
    });
  } catch (error) {
    await keep(state, error);
    throw error;
  }
}

async function climbAll(state: ProgrammeState, gatekeeper: Gatekeeper, start: RunStart): Promise<Outcome> {
  const recipe = await resolve(state, start);
  const purse = runPurse(state, recipe, gatekeeper);
  if (!state.drafts) await collect(state, purse, recipe);
  const phases = (['A', 'B', 'C'] as const).filter((phase) => !start.from || `phase${phase}` >= start.from.at);
  for (const phase of phases) {
    const goesOn =
      phase === 'C'
        ? await climbRounds(state, gatekeeper, purse, recipe)
        : await climb(state, gatekeeper, purse, phase, recipe);
    await orchestrator.saveState({ state });
    if (!goesOn) return await finish(state, 'stopped');
  }
  return await finish(state, 'done');
}

async function resolve(state: ProgrammeState, start: RunStart): Promise<Recipe> {
  const resolved = await orchestrator.resolveRecipe({ start, run: state.run });
  adoptRecipe(state, resolved);
  if (start.from) adoptOlderRun(state, await orchestrator.loadState({ run: start.from.run }), start.from.at);
  return resolved.recipe;
}

/** Everything that comes before the first phase: questions, drafts of the bare base, teacher responses. */
export async function collect(state: ProgrammeState, purse: Purse, recipe: Recipe): Promise<void> {
  const { run } = state;
  const gpu = gpuTasks(recipe.reliability, purse);

  enter(state, 'data');
  const data = await orchestrator.prepareData({ scope: { run, phase: 'data', attempt: 1 }, recipe });
  state.data = data;

  enter(state, 'drafts');
  const scope = { run, phase: 'drafts', attempt: 1 } as const;
  const draft = (name: 'train' | 'evaluation', questions: ArtefactRef) =>
    gpu.generateDrafts({ scope, recipe, questions, adapter: null, name });
  const train = await draft('train', data.train);
  const evaluation = await draft('evaluation', data.evaluation);
  state.drafts = {
    train: train.drafts,
    evaluation: evaluation.drafts,
    trainReport: train.report,
    evaluationReport: evaluation.report,
  };
  const base = await gpu.evaluate({
    scope,
    recipe,
    name: 'base/direct',
    mode: 'direct',
    questions: data.evaluation,
    drafts: null,
    adapter: null,
  });
  state.baseEvaluation = base.summary;

  enter(state, 'teacher');
  const attempts = attemptsAsked(recipe.phaseB);
  const asked = await askTeacher(
    { scope: { run, phase: 'teacher', attempt: 1 }, recipe, questions: data.train, drafts: train.drafts, attempts },
    purse,
  );
  const { responses, report, server } = asked;
  state.teacher = { responses, attempts, name: asked.teacher, ...(server !== undefined && { server }), report };
  await orchestrator.saveState({ state });
}
