import { createHash } from 'node:crypto';
import type { z } from 'zod';
import { canonicalJson } from '../domain/canonical.ts';
import { withoutUserinfo } from '../domain/without-userinfo.ts';
import { checkRecipe } from './check-recipe.ts';
import { applySetting, environmentSettings, overrideSettings, suggestField } from './overrides.ts';
import type { Environment, Setting } from './overrides.ts';
import { refusal } from './problem.ts';
import type { Problem } from './problem.ts';
import { Recipe } from './recipe.ts';
import { allFieldNames, expectation, fieldName, fieldNames, schemaOf } from './recipe-fields.ts';
import type { FieldPath } from './recipe-fields.ts';
import { readRecipeText } from './recipe-files.ts';
import type { RecipeText } from './recipe-text.ts';

/** A recipe with every layer applied, and what each layer changed. */
export type LoadedRecipe = {
  recipe: Recipe;
  /** sha256 of the whole recipe as canonical JSON: equal digests mean equal runs. */
  digest: string;
  overridden: { field: string; by: string; value: string }[];
};

/** Where a recipe comes from, and what goes over it: recipe < environment < overrides. */
export type RecipeLayers = {
  /** Name of a shipped recipe, path of a YAML file, or the recipe itself. */
  recipe: string | Readonly<Record<string, unknown>>;
  environment?: Environment;
  /** As `--set` and the workflow's `overrides` give them: dotted names or nested objects. */
  overrides?: Readonly<Record<string, unknown>>;
};

const hash = (text: string): string => createHash('sha256').update(text).digest('hex');

/** sha256 of a recipe, whatever the order of its fields. */
export const recipeDigest = (recipe: Recipe): string => hash(canonicalJson(recipe));

/**
 * Reads a recipe, puts the environment and the overrides over it, and checks all that can be known without the world.
 *
 * @throws InvalidRecipe with every problem: field, where it was set, what was expected, the nearest valid name
 */
export function loadRecipe({ recipe: source, environment = {}, overrides = {} }: RecipeLayers): LoadedRecipe {
  const text: RecipeText =
    typeof source === 'string' ? readRecipeText(source) : { values: source, whereIs: () => 'the recipe given' };
  if (typeof text.values !== 'object' || text.values === null || Array.isArray(text.values)) {
    const problem = 'expected fields and values';
    const fix = 'begin with name: and description:';
    throw refusal([{ type: 'InvalidRecipe', field: 'recipe', where: text.whereIs([]), problem, fix }]);
  }
  const settings = [...environmentSettings(environment), ...overrideSettings(overrides)];
  const whereSet = (path: FieldPath): string => settingOf(path, settings)?.by ?? text.whereIs(path);
  const values = structuredClone(text.values) as Record<string, unknown>;
  for (const setting of settings) applySetting(values, setting, defaults);

  const parsed = Recipe.safeParse(values);
  if (!parsed.success) throw refusal(parsed.error.issues.flatMap((issue) => problemsOf(issue, values, whereSet)));
  const problems = checkRecipe(parsed.data).map(({ path, ...rest }) => ({
    ...rest,
    field: fieldName(path),
    where: whereSet(path),
  }));
  if (problems.length > 0) throw refusal(problems);
  return { recipe: parsed.data, digest: recipeDigest(parsed.data), overridden: settings.map(recordOf) };
}

const defaults = Recipe.parse({ name: 'defaults', description: 'every field as it is when nothing is said' });

const recordOf = ({ path, value, by }: Setting): LoadedRecipe['overridden'][number] => ({
  field: fieldName(path),
  by,
  value: typeof value === 'string' ? value : JSON.stringify(value),
});

const startsWith = (path: FieldPath, start: FieldPath): boolean => start.every((key, index) => path[index] === key);

/** The newest setting that made a field, or a block around it, or (for a missing field) something within it. */
const settingOf = (path: FieldPath, settings: readonly Setting[]): Setting | undefined =>
  settings.findLast((setting) => startsWith(path, setting.path)) ??
  (path.length === 0 ? undefined : settings.findLast((setting) => startsWith(setting.path, path)));

function valueAt(values: unknown, path: FieldPath): unknown {
  return path.reduce<unknown>(
    (value, key) =>
      typeof value === 'object' && value !== null ? (value as Record<string | number, unknown>)[key] : undefined,
    values,
  );
}

type Issue = z.core.$ZodIssue;

/** A complaint of the schema as problems: an unknown field each, or one field that holds something else. */
function problemsOf(issue: Issue, values: unknown, whereSet: (path: FieldPath) => string): Problem[] {
  const path = issue.path.map((key) => (typeof key === 'symbol' ? String(key) : key));
  const type = 'InvalidRecipe';
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => {
      const field = fieldName([...path, key]);
      const fix = suggestField(path, key, fieldNames(path), allFieldNames());
      return { type, field, where: whereSet([...path, key]), problem: 'there is no such field', fix };
    });
  }
  // Says itself what is wrong, and not what the field holds: it may be a secret.
  if (issue.code === 'custom') {
    return [{ type, field: fieldName(path), where: whereSet(path), problem: issue.message, fix: 'remove it' }];
  }
  if (issue.code === 'invalid_union') {
    // The options' own complaints say less than what the field takes, except for a block of fields.
    const value = valueAt(values, path);
    const inner =
      typeof value === 'object' && value !== null ? issue.errors.findLast((option) => option.length > 0) : undefined;
    if (inner) return inner.flatMap((one) => problemsOf({ ...one, path: [...path, ...one.path] }, values, whereSet));
  }
  const schema = schemaOf(path);
  const value = valueAt(values, path);
  const wanted = schema === undefined ? issue.message : expectation(schema);
  const format =
    issue.code === 'invalid_format'
      ? ` (${issue.format === 'regex' && 'pattern' in issue ? formWords(path, issue.pattern) : issue.format})`
      : '';
  const problem = value === undefined ? 'is missing' : `expected ${wanted}${format}, got ${shown(value)}`;
  const about = schema?.description === undefined ? '' : ` (${schema.description.replace(/\.$/, '')})`;
  const fix = `give ${wanted}${about}`;
  const where = whereSet(value === undefined ? path.slice(0, -1) : path);
  return [{ type, field: fieldName(path), where, problem, fix }];
}

const formWords = (path: FieldPath, pattern: string | undefined): string =>
  path.at(-1) === 'name' ? 'lower case, digits, dashes' : `of the form ${pattern ?? 'asked'}`;

const shown = (value: unknown): string => {
  const text = withoutUserinfo(JSON.stringify(value));
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
};
