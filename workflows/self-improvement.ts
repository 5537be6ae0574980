import { attemptsAsked } from '../domain/teacher-wordings.ts';
import { CancellationScope, isCancellation, upsertSearchAttributes } from '@temporalio/workflow';
import type { Recipe } from '../config/recipe.ts';
import type { ProgrammeState, RunStart } from '../domain/programme.ts';
import type { ArtefactRef } from '../domain/records.ts';
import { climb, climbRounds } from './climb.ts';
import type { Gatekeeper } from './gatekeeper.ts';
import { createGatekeeper } from './gatekeeper.ts';
import { rootMessage } from './failure.ts';
import { searchAttributes } from './messages.ts';
import { adoptOlderRun, adoptRecipe, createProgramme, enter } from './programme.ts';
import { isBudgetStop, runPurse } from './purse.ts';
import type { Purse } from './purse.ts';
import { askTeacher } from './teacher-batches.ts';
import { gpuTasks, orchestrator } from './tasks.ts';

/** What a finished run answers; the whole state is in `state.json` and in the `status` query. */
export type Outcome = Pick<ProgrammeState, 'run' | 'stage' | 'promoted' | 'conclusion' | 'report' | 'spent'>;

/**
 * Self-improvement on yes/no questions: drafts → teacher → Phase A → gate → Phase B → gate → Phase C → gate → report.
 * Completes as `done` or `stopped` (a gate's `abort`, the budget gate's `stop`); cancelled and failed runs keep their state and report too.
 */
export async function selfImprovement(start: RunStart): Promise<Outcome> {
  const state = createProgramme(start);
  const gatekeeper = createGatekeeper(state);
  try {
    return await climbAll(state, gatekeeper, start).catch((error: unknown) => {
      if (isBudgetStop(error)) return finish(state, 'stopped');
      throw error;
    });
  } catch (error) {
    await CancellationScope.nonCancellable(() => keep(state, error));
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

/** ` (round 2)` where a later round of Phase C was promoted. */
function roundWords({ phases, promoted }: ProgrammeState): string {
  const round = phases.find(({ phase, attempt }) => phase === promoted?.phase && attempt === promoted.attempt)?.round;
  return round === undefined ? '' : ` (round ${round.number})`;
}

export async function finish(state: ProgrammeState, stage: 'done' | 'stopped'): Promise<Outcome> {
  enter(state, 'report');
  state.finishedAt = new Date().toISOString();
  state.conclusion ??= state.promoted
    ? `The adapter of Phase ${state.promoted.phase}, attempt ${state.promoted.attempt}${roundWords(state)}, is the new model.`
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
export async function keep(state: ProgrammeState, error: unknown): Promise<void> {
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
