import { ApplicationFailure, log, setHandler, upsertSearchAttributes, workflowInfo } from '@temporalio/workflow';
import type { ResolvedRecipe } from '../activities/contract.ts';
import { plusCost } from '../domain/budget.ts';
import type { ProgrammeState, RunStart, Stage } from '../domain/programme.ts';
import { searchAttributes, statusQuery } from './messages.ts';

/** The state of a run before anything happened, answered by the `status` query from the first moment on. */
export function createProgramme(start: RunStart): ProgrammeState {
  const { workflowId, startTime } = workflowInfo();
  const state: ProgrammeState = {
    run: workflowId,
    recipeName: typeof start.recipe === 'string' ? start.recipe : 'inline',
    recipeDigest: '',
    recipe: null,
    stage: 'resolving',
    startedAt: startTime.toISOString(),
    finishedAt: null,
    waiting: null,
    data: null,
    drafts: null,
    teacher: null,
    baseEvaluation: null,
    phases: [],
    promoted: null,
    decisions: [],
    unreadable: [],
    spent: { teacherUsd: 0, teacherCalls: 0, gpuSeconds: 0 },
    estimate: null,
    from: start.from ?? null,
    report: null,
    conclusion: null,
  };
  setHandler(statusQuery, () => state);
  return state;
}

export function adoptRecipe(state: ProgrammeState, resolved: ResolvedRecipe): void {
  state.recipe = resolved.recipe;
  state.recipeName = resolved.recipe.name;
  state.recipeDigest = resolved.digest;
  state.estimate = resolved.estimate;
  if (resolved.checked) {
    state.spent = plusCost(state.spent, resolved.checked);
    log.info('one call each showed that servers take key and model: their lists did not say', resolved.checked);
  }
  upsertSearchAttributes([{ key: searchAttributes.recipe, value: resolved.recipe.name }]);
}

/** Takes over what an older run had before the phase `at`; its artefacts stay where they are. */
export function adoptOlderRun(
  state: ProgrammeState,
  older: ProgrammeState,
  at: NonNullable<RunStart['from']>['at'],
): void {
  const missing = ['data', 'drafts', 'teacher'].filter((part) => !older[part as 'data' | 'drafts' | 'teacher']);
  if (missing.length > 0) {
    const message = `from.run: ${older.run} has no ${missing.join(', ')} yet, so nothing can start from it.`;
    throw ApplicationFailure.nonRetryable(message, 'UnknownRun');
  }
  const before = older.phases.filter((attempt) => `phase${attempt.phase}` < at);
  state.data = older.data;
  state.drafts = older.drafts;
  state.teacher = older.teacher;
  state.baseEvaluation = older.baseEvaluation;
  state.phases = before;
  const last = before.findLast((attempt) => attempt.outcome.startsWith('promoted'));
  if (!last && at !== 'phaseA') {
    const message = `from.at: ${older.run} promoted no phase before ${at}; start at phaseA.`;
    throw ApplicationFailure.nonRetryable(message, 'UnknownRun');
  }
  state.promoted = last
    ? {
        phase: last.phase,
        attempt: last.attempt,
        adapter: last.adapter,
        override: last.outcome === 'promoted-by-override',
      }
    : null;
}

export function enter(state: ProgrammeState, stage: Stage): void {
  state.stage = stage;
  upsertSearchAttributes([{ key: searchAttributes.phase, value: stage }]);
  log.info('stage', { stage });
}
