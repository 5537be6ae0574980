import { loadRecipe } from '../config/load-recipe.ts';
import type { LoadedRecipe } from '../config/load-recipe.ts';
import { environmentSettings, parseSet } from '../config/overrides.ts';
import { isRecipePath, readRecipeText } from '../config/recipe-files.ts';
import type { Policy } from '../domain/gate-types.ts';
import type { RunStart } from '../domain/programme.ts';
import { runNameFix, runNameProblem } from '../domain/run-name.ts';
import type { Environment } from '../infra/embedded/index.ts';
import { badInput } from './problem.ts';

/** What `run` and `validate` are told about the recipe. */
export type RecipeOptions = { set?: string[]; policy?: Policy; from?: string; at?: 'phaseA' | 'phaseB' | 'phaseC' };

/**
 * Checks the recipe here, before anything is started, and makes the workflow's input. This shell's settings
 * (`TRAIN_SAMPLES` and the like) go along as overrides, since the workers may have been started elsewhere; `--set` goes over them.
 *
 * @throws InvalidRecipe with every problem; CommandProblem for `--from` without `--at`
 */
export function startInput(
  recipe: string,
  options: RecipeOptions,
  env: Environment,
): { start: RunStart; loaded: LoadedRecipe } {
  if ((options.from === undefined) !== (options.at === undefined))
    throw badInput('--from and --at go together.', 'For example --from demo-20260301-101500 --at phaseB');
  const sets = [...(options.set ?? []), ...(options.policy ? [`gates.policy=${options.policy}`] : [])].map(parseSet);
  const dotted = (settings: typeof sets) =>
    settings.map(({ path, value }): [string, unknown] => [path.join('.'), value]);
  const ofShell = dotted(environmentSettings(env));
  const overrides = Object.fromEntries(dotted(sets));
  const loaded = loadRecipe({ recipe, environment: env, overrides });
  const whole = { ...Object.fromEntries(ofShell), ...overrides };
  const start: RunStart = {
    // A file of this machine is sent whole: the worker may be on another one.
    recipe: isRecipePath(recipe) ? (readRecipeText(recipe).values as Record<string, unknown>) : recipe,
    ...(Object.keys(whole).length === 0 ? {} : { overrides: whole }),
    ...(options.from !== undefined && options.at !== undefined ? { from: { run: options.from, at: options.at } } : {}),
  };
  return { start, loaded };
}

/** `demo-20260301-101500`, in UTC: sorts by time, and says what it was. */
export const runName = (recipe: string, now: Date): string =>
  `${recipe}-${now.toISOString().replaceAll(/[-:]/gu, '').slice(0, 15).replace('T', '-')}`;

/** A name that can be a workflow id, a folder and a part of an S3 key at once. */
export function checkedRunName(name: string): string {
  const wrong = runNameProblem(name);
  if (wrong === null) return name;
  throw badInput(`--id: ${wrong}.`, `${runNameFix[0]?.toUpperCase() ?? ''}${runNameFix.slice(1)}.`);
}
