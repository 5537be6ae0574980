import type { Recipe } from '../config/recipe.ts';
import { joinDraftReports, joinSummaries } from '../domain/join-summaries.ts';
import type { PhaseAttempt, ProgrammeState } from '../domain/programme.ts';
import type { ArtefactRef, EvaluationMode, EvaluationSummary } from '../domain/records.ts';
import { applyRemedies } from '../domain/remedies.ts';
import type { Purse } from './purse.ts';
import { gpuTasks, orchestrator } from './tasks.ts';

/** Held-out questions that data.evaluationLimit left out and no extension has taken since. */
export function questionsLeft({ data }: ProgrammeState): number {
  const held = data?.report.steps.find(({ name }) => name === 'held out for evaluation')?.removed[0]?.counts;
  return data && held ? Math.max(0, held.yes + held.no - data.evaluation.rows) : 0;
}

/**
 * Evaluates more held-out questions, with the attempt at the gate and with everything that it is compared with, so that
 * comparisons stay paired. What was evaluated before is kept, and later phases are evaluated on all of it.
 *
 * @param items how many more; as many as are left at most
 * @param name tells this extension's files from others: `B2-extension-1`
 */
export async function extendEvaluations(
  state: ProgrammeState,
  purse: Purse,
  record: PhaseAttempt,
  recipe: Recipe,
  items: number,
  name: string,
): Promise<void> {
  const { run, data, drafts } = state;
  if (!data || !drafts) throw new Error('An extension needs questions and drafts.');
  const gpu = gpuTasks(recipe.reliability, purse);
  const dataScope = { run, phase: 'data', attempt: 1 } as const;
  const draftScope = { run, phase: 'drafts', attempt: 1 } as const;

  const questions = await orchestrator.extendEvaluation({
    scope: dataScope,
    recipe,
    evaluated: data.evaluation,
    items,
    name,
  });
  const drafted = await gpu.generateDrafts({ scope: draftScope, recipe, questions, adapter: null, name });

  const extend = async (before: EvaluationSummary, of: PhaseAttempt | null): Promise<EvaluationSummary> => {
    const mode = before.name.split('/')[1] as EvaluationMode;
    const scope = of === null ? draftScope : { run, phase: of.phase, attempt: of.attempt };
    const { summary, gpuSeconds } = await gpu.evaluate({
      scope,
      recipe: of === null ? recipe : recipeOf(state, recipe, of),
      name: before.name,
      mode,
      questions,
      drafts: mode === 'direct' ? null : drafted.drafts,
      adapter: of?.adapter ?? null,
    });
    if (of) of.gpuSeconds += gpuSeconds;
    const parts: ArtefactRef[] = [before.items, summary.items];
    const joined = await orchestrator.joinRows({ scope, name: `${before.name.replace('/', '-')}-${name}`, parts });
    return joinSummaries(before, summary, joined);
  };
  const promoted = state.phases.filter(({ outcome }) => outcome.startsWith('promoted'));
  for (const attempt of [...promoted, record]) {
    const extended: EvaluationSummary[] = [];
    for (const before of attempt.evaluations) extended.push(await extend(before, attempt));
    attempt.evaluations = extended;
  }
  if (state.baseEvaluation) state.baseEvaluation = await extend(state.baseEvaluation, null);

  const join = (scope: typeof dataScope | typeof draftScope, parts: ArtefactRef[]) =>
    orchestrator.joinRows({ scope, name: `evaluation-${name}`, parts });
  data.evaluation = await join(dataScope, [data.evaluation, questions]);
  drafts.evaluation = await join(draftScope, [drafts.evaluation, drafted.drafts]);
  drafts.evaluationReport = joinDraftReports(drafts.evaluationReport, drafted.report);
}

/** The recipe of an attempt: every remedy of its phase up to it, and the attempt's own seed. */
function recipeOf(state: ProgrammeState, recipe: Recipe, { phase, attempt }: PhaseAttempt): Recipe {
  const until = state.phases.filter((each) => each.phase === phase && each.attempt <= attempt);
  const remedied = until.reduce((so, { remedies }) => (remedies ? applyRemedies(so, remedies).recipe : so), recipe);
  return { ...remedied, seed: recipe.seed + attempt - 1 };
}
