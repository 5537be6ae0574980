import { z } from 'zod';
import { Recipe } from '../../config/recipe.ts';
import { fieldName } from '../../config/recipe-fields.ts';

/** What the report shows of a run's recipe. Undefined where it says nothing that can be read. */
export type ReadRecipe = {
  description: string | undefined;
  base: string | undefined;
  source: string | undefined;
  gpuHourUsd: number | undefined;
  capUsd: number | undefined;
  plannedTeacherUsd: number | undefined;
  plannedHours: { A: number | undefined; B: number | undefined; C: number | undefined };
  /** Fields that this version does not know, or that hold what it does not expect; empty for a recipe of its own. */
  unread: string[];
};

const text = z.string();
const amount = z.number().nonnegative();

function at<T>(recipe: unknown, path: readonly string[], schema: z.ZodType<T>): T | undefined {
  const value = path.reduce<unknown>(
    (inner, key) => (typeof inner === 'object' && inner !== null ? (inner as Record<string, unknown>)[key] : undefined),
    recipe,
  );
  return schema.safeParse(value).data;
}

/** The fields that a recipe of another version has and this one cannot take, as dotted names. */
function unreadOf(error: z.ZodError): string[] {
  const fields = error.issues.flatMap((issue) => {
    const path = issue.path.map((key) => (typeof key === 'number' ? key : String(key)));
    return issue.code === 'unrecognized_keys' ? issue.keys.map((key) => fieldName([...path, key])) : [fieldName(path)];
  });
  return [...new Set(fields)];
}

/**
 * Reads the recipe of a run field by field: one that an older or newer version wrote costs the fields that it cannot take,
 * not the others.
 *
 * @param stored as it stands in the state; null before it is resolved
 */
export function readRecipe(stored: unknown): ReadRecipe {
  const parsed = Recipe.safeParse(stored);
  const recipe = parsed.data ?? stored;
  const hours = (phase: 'A' | 'B' | 'C') => at(recipe, ['plan', 'hours', phase], amount);
  return {
    description: at(recipe, ['description'], text),
    base: at(recipe, ['model', 'base'], text),
    source: at(recipe, ['data', 'source'], text),
    gpuHourUsd: at(recipe, ['budget', 'gpuHourUsd'], amount),
    capUsd: at(recipe, ['budget', 'capUsd'], amount),
    plannedTeacherUsd: at(recipe, ['plan', 'teacherUsd'], amount),
    plannedHours: { A: hours('A'), B: hours('B'), C: hours('C') },
    unread: stored === null || stored === undefined || !parsed.error ? [] : unreadOf(parsed.error),
  };
}
