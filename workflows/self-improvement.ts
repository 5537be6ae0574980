import { CancellationScope, isCancellation, upsertSearchAttributes } from '@temporalio/workflow';
import type { Recipe } from '../config/recipe.ts';
import type { ProgrammeState, RunStart } from '../domain/programme.ts';
import type { ArtefactRef } from '../domain/records.ts';
import { climb } from './climb.ts';
import { createGatekeeper } from './gatekeeper.ts';
import { rootMessage } from './failure.ts';
import { searchAttributes } from './messages.ts';
import { teacherAttempts } from './phases/phase-b.ts';
import { adoptOlderRun, adoptRecipe, createProgramme, enter } from './programme.ts';
import { askTeacher } from './teacher-batches.ts';
import { gpuTasks, orchestrator } from './tasks.ts';

/** What a finished run answers; the whole state is in `state.json` and in the `status` query. */
export type Outcome = Pick<ProgrammeState, 'run' | 'stage' | 'promoted' | 'conclusion' | 'report' | 'spent'>;

/**
 * Self-improvement on yes/no questions: drafts → teacher → Phase A → gate → Phase B → gate → Phase C → gate → report.
 * Completes as `done` or `stopped` (a gate's `abort`); cancelled and failed runs keep their state and report too.
 */
export async function selfImprovement(start: RunStart): Promise<Outcome> {
  const state = createProgramme(start);
  const gatekeeper = createGatekeeper(state);
  try {
    const recipe = await resolve(state, start);
    if (!state.drafts) await collect(state, recipe);
    const phases = (['A', 'B', 'C'] as const).filter((phase) => !start.from || `phase${phase}` >= start.from.at);
    for (const phase of phases) {
      const goesOn = await climb(state, gatekeeper, phase, recipe);
      await orchestrator.saveState({ state });
      if (!goesOn) return await finish(state, 'stopped');
    }
    return await finish(state, 'done');
  } catch (error) {
    await CancellationScope.nonCancellable(() => keep(state, error));
    throw error;
  }
}

async function resolve(state: ProgrammeState, start: RunStart): Promise<Recipe> {
  const resolved = await orchestrator.resolveRecipe({ start, run: state.run });
  adoptRecipe(state, resolved);
  if (start.from) adoptOlderRun(state, await orchestrator.loadState({ run: start.from.run }), start.from.at);
  return resolved.recipe;
}

/** Everything that comes before the first phase: questions, drafts of the bare base, teacher responses. */
async function collect(state: ProgrammeState, recipe: Recipe): Promise<void> {
  const { run } = state;
  const gpu = gpuTasks(recipe.reliability);

  enter(state, 'data');
  const data = await orchestrator.prepareData({ scope: { run, phase: 'data', attempt: 1 }, recipe });
  state.data = data;

  enter(state, 'drafts');
  const scope = { run, phase: 'drafts', attempt: 1 } as const;
  const draft = async (name: 'train' | 'evaluation', questions: ArtefactRef) => {
    const drafted = await gpu.generateDrafts({ scope, recipe, questions, adapter: null, name });
    state.spent.gpuSeconds += drafted.gpuSeconds;
    return drafted;
  };
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
  state.spent.gpuSeconds += base.gpuSeconds;

  enter(state, 'teacher');
  const attempts = teacherAttempts(recipe);
  const asked = await askTeacher({
    scope: { run, phase: 'teacher', attempt: 1 },
    recipe,
    questions: data.train,
    drafts: train.drafts,
    attempts,
  });
  state.teacher = { responses: asked.responses, attempts, name: asked.teacher, report: asked.report };
  state.spent.teacherUsd += asked.costUsd;
  state.spent.teacherCalls += asked.calls;
  await orchestrator.saveState({ state });
}

async function finish(state: ProgrammeState, stage: 'done' | 'stopped'): Promise<Outcome> {
  enter(state, 'report');
  state.finishedAt = new Date().toISOString();
  state.conclusion ??= state.promoted
    ? `The adapter of Phase ${state.promoted.phase}, attempt ${state.promoted.attempt}, is the new model.`
    : 'No phase was promoted: the base stays the model.';
  // The report shows how the run ended, so the final stage is set before it is written.
  state.stage = stage;
  state.report = await orchestrator.writeReport({ state });
  await orchestrator.saveState({ state });
  enter(state, stage);
  const { run, promoted, conclusion, report, spent } = state;
  return { run, stage, promoted, conclusion, report, spent };
}

/** After a cancellation or a failure: says what is kept and where, and leaves state and report as far as there is one. */
async function keep(state: ProgrammeState, error: unknown): Promise<void> {
  const cancelled = isCancellation(error);
  const where = `runs/${state.run}/`;
  const during = state.stage;
  state.stage = cancelled ? 'cancelled' : 'failed';
  state.waiting = null;
  state.finishedAt = new Date().toISOString();
  state.conclusion = `${cancelled ? 'Cancelled' : `Failed (${rootMessage(error)})`} during ${during}. Everything checkpointed is kept under ${where} in the bucket.`;
  try {
    state.report = state.recipe === null ? null : await orchestrator.writeReport({ state });
    await orchestrator.saveState({ state });
  } finally {
    upsertSearchAttributes([{ key: searchAttributes.gate, value: null }]);
    enter(state, state.stage);
  }
}
