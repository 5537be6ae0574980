import { Recipe } from '../../config/recipe.ts';
import type { RecipeDifference } from './report-data.ts';

/** Leaves of a plain JSON value under dotted paths; arrays are leaves. */
function leaves(value: unknown, path: string, into: Map<string, string>): Map<string, string> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    for (const [key, inner] of Object.entries(value)) leaves(inner, path === '' ? key : `${path}.${key}`, into);
  else if (value !== undefined) into.set(path, JSON.stringify(value));
  return into;
}

/** What a resolved recipe changes against the defaults (the reference run's numbers), in the recipe's own order. */
export function recipeDifferences(recipe: unknown): RecipeDifference[] {
  const defaults = leaves(Recipe.parse({ name: 'defaults', description: '' }), '', new Map());
  const own = leaves(recipe, '', new Map());
  return [...own]
    .filter(([field, value]) => !['name', 'description', 'programme'].includes(field) && defaults.get(field) !== value)
    .map(([field, value]) => ({ field, default: defaults.get(field) ?? 'unset', value }));
}
