import { z } from 'zod';
import { estimateOf } from '../../config/check-recipe.ts';
import { loadRecipe } from '../../config/load-recipe.ts';
import type { LoadedRecipe } from '../../config/load-recipe.ts';
import { isRecipePath } from '../../config/recipe-files.ts';
import { isDryRun } from '../../config/overrides.ts';
import { isRefusal, refusal, suggestName } from '../../config/problem.ts';
import type { Problem } from '../../config/problem.ts';
import type { FailureType } from '../../domain/failures.ts';
import type { RunStart } from '../../domain/programme.ts';
import { runNameFix, runNameProblem } from '../../domain/run-name.ts';
import type { OrchestratorActivities, ResolvedRecipe } from '../contract.ts';
import { failure } from '../failure.ts';
import { checkBase, checkBucket, checkData, checkFrom, checkJudge, checkTeacher, checkWebhook } from './check-world.ts';
import type { CheckDeps } from './check-world.ts';
import { problem } from './problems.ts';

/** What `temporal` and `tctl` send; unknown fields are refused, so that a typo does not start a run. */
const Start = z.strictObject({
  recipe: z.union([z.string().min(1), z.record(z.string(), z.unknown())]),
  overrides: z.record(z.string(), z.unknown()).optional(),
  from: z.strictObject({ run: z.string().min(1), at: z.enum(['phaseA', 'phaseB', 'phaseC']) }).optional(),
});

/** How to speak of an input: `a run`, the fields of its `from`, and what to send. */
type InputWords = { what: string; from: string[]; example: string };

/**
 * Checks the input of a workflow.
 *
 * @throws an Error with `problems` that names the field
 */
export function readInput<Schema extends z.ZodObject>(
  schema: Schema,
  start: unknown,
  words: InputWords,
): z.infer<Schema> {
  const parsed = schema.safeParse(start);
  if (parsed.success) return parsed.data;
  const { issues } = parsed.error;
  const unknown = issues.find((issue) => issue.code === 'unrecognized_keys');
  if (unknown) {
    const fields = unknown.path[0] === 'from' ? words.from : Object.keys(schema.shape);
    const key = unknown.keys[0] ?? '';
    const problem = `there is no such field in the input of ${words.what}`;
    const field = [...unknown.path, key].join('.');
    throw refusal([{ type: 'InvalidRecipe', field, problem, fix: suggestName(key, fields) }]);
  }
  const issue = issues[0];
  const field = issue?.path.join('.') || 'input';
  throw refusal([{ type: 'InvalidRecipe', field, problem: issue?.message ?? 'not understood', fix: words.example }]);
}

const runWords: InputWords = {
  what: 'a run',
  from: ['run', 'at'],
  example:
    'send {"recipe": NAME}, optionally with "overrides": {"phaseB.learningRate": 1e-5} and "from": {"run": ID, "at": "phaseB"}',
};

/** Refused input as the failure that Temporal shows and does not try again; anything else as it is. */
export const refusalAsFailure = (error: unknown): unknown =>
  isRefusal(error)
    ? failure(error.name as FailureType, error.message, { details: [{ problems: error.problems }] })
    : error;

/**
 * Resolves a recipe and checks all that can be known before anything is spent: recipe, bucket, data, base model,
 * teacher's key and model, older run. Used by the activity and by `ratchet validate`.
 *
 * @throws an Error with `problems` (config/problem.ts), all of them; failures that may pass by themselves
 */
export async function resolveStart(deps: CheckDeps, start: unknown, run: string): Promise<ResolvedRecipe> {
  const { recipe: source, overrides = {}, from } = readInput(Start, start, runWords) as RunStart;
  if (deps.confined && typeof source === 'string' && isRecipePath(source)) throw outOfReach();
  checkRunNames({ run, 'from.run': from?.run });
  const loaded: LoadedRecipe = loadRecipe({ recipe: source, environment: deps.environment, overrides });
  const { recipe } = loaded;
  const means = { spend: !isDryRun(deps.environment) };
  const [teacher, judge, ...others] = await Promise.all([
    checkTeacher(deps, recipe, means),
    checkJudge(deps, recipe, means),
    checkBucket(deps, run),
    checkData(deps, recipe),
    checkBase(deps, recipe),
    checkFrom(deps, recipe, from),
  ]);
  // One key that is wrong for both is told once.
  const ofJudge = judge.problems.filter(({ field }) => teacher.problems.every((other) => other.field !== field));
  const problems: Problem[] = [...others.flat(), ...teacher.problems, ...ofJudge, ...checkWebhook(deps, recipe)];
  if (problems.length > 0) throw refusal(problems);
  const checked = { ...teacher.cost, ...judge.cost };
  const paid = Object.keys(checked).length > 0 && { checked };
  return { ...loaded, estimate: estimateOf(recipe, teacher.simulated), ...paid };
}

/** Names that lead out of their place in bucket and disk are refused before anything is written under them. */
function checkRunNames(names: Readonly<Record<string, string | undefined>>): void {
  const problems = Object.entries(names).flatMap(([field, name]) => {
    const wrong = name === undefined ? null : runNameProblem(name);
    return wrong === null ? [] : [problem('InvalidRecipe', field, wrong, runNameFix)];
  });
  if (problems.length > 0) throw refusal(problems);
}

/** A worker that serves several people opens no file of its host that one of them names. */
const outOfReach = (): Error =>
  refusal([
    {
      type: 'InvalidRecipe',
      field: 'recipe',
      problem: 'is a path, and this worker reads no recipe from its own disk',
      fix: 'start it by `ratchet run PATH`, which sends the file, or send the recipe itself or the name of a shipped one',
    },
  ]);

/** The first activity of a run; refuses bad input, and every run where `DRY_RUN` is set for this worker. */
export const createResolveRecipe =
  (deps: CheckDeps): OrchestratorActivities['resolveRecipe'] =>
  async ({ start, run }) => {
    try {
      const resolved = await resolveStart(deps, start, run);
      if (!isDryRun(deps.environment)) return resolved;
      const { teacherCalls, totalUsd } = resolved.estimate;
      const problem = `set for this worker, so nothing is started; ${resolved.recipe.name} would make ${teacherCalls} teacher calls and cost up to $${totalUsd.toFixed(2)}`;
      throw refusal([
        { type: 'InvalidRecipe', field: 'DRY_RUN', problem, fix: 'unset DRY_RUN and restart the worker' },
      ]);
    } catch (error) {
      throw refusalAsFailure(error);
    }
  };
