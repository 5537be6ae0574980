import { z } from 'zod';
import { Recipe } from './recipe.ts';

/** A part of a recipe's JSON Schema: what editors know about a field. */
export type FieldSchema = {
  type?: string;
  description?: string;
  default?: unknown;
  enum?: unknown[];
  const?: unknown;
  properties?: Record<string, FieldSchema>;
  items?: FieldSchema;
  anyOf?: FieldSchema[];
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  exclusiveMaximum?: number;
};

/** A place in a recipe: keys, and indexes of lists. */
export type FieldPath = readonly (string | number)[];

/** JSON Schema of recipes as people write them (defaults left out). */
export const recipeSchema = z.toJSONSchema(Recipe, { io: 'input' }) as FieldSchema;

/** `['phaseC', 'stages', 0, 'beta']` → `phaseC.stages.0.beta`; the whole recipe is `recipe`. */
export const fieldName = (path: FieldPath): string => (path.length === 0 ? 'recipe' : path.join('.'));

/**
 * `phaseC.stages.0.beta` → `['phaseC', 'stages', 0, 'beta']`. `__proto__` comes out in brackets: assigning to it would
 * change every object of the process, and so the schema refuses it as a field that there is not.
 */
export const fieldPath = (name: string): (string | number)[] =>
  name.split('.').map((part) => (/^\d+$/.test(part) ? Number(part) : part === '__proto__' ? '(__proto__)' : part));

function step(schema: FieldSchema, key: string | number): FieldSchema | undefined {
  if (typeof key === 'number') return schema.items;
  return (schema.properties ?? schema.anyOf?.find((option) => option.properties)?.properties)?.[key];
}

/** What the schema says of a field; undefined where there is no such field. */
export const schemaOf = (path: FieldPath): FieldSchema | undefined =>
  path.reduce<FieldSchema | undefined>((schema, key) => schema && step(schema, key), recipeSchema);

/** Names of the fields of a part of the recipe. */
export function fieldNames(path: FieldPath): string[] {
  const schema = schemaOf(path);
  return Object.keys(schema?.properties ?? schema?.anyOf?.find((option) => option.properties)?.properties ?? {});
}

/** Every field of a recipe as a dotted name, lists without indexes. */
export function allFieldNames(schema: FieldSchema = recipeSchema, prefix = ''): string[] {
  return Object.entries(schema.properties ?? {}).flatMap(([key, inner]) => [
    `${prefix}${key}`,
    ...allFieldNames(inner, `${prefix}${key}.`),
  ]);
}

const article = (noun: string): string => (/^[aeiou]/.test(noun) ? `an ${noun}` : `a ${noun}`);

function bounds(schema: FieldSchema): string {
  const parts: string[] = [];
  if (schema.minimum !== undefined && schema.minimum > Number.MIN_SAFE_INTEGER)
    parts.push(`at least ${schema.minimum}`);
  if (schema.exclusiveMinimum !== undefined) parts.push(`above ${schema.exclusiveMinimum}`);
  if (schema.maximum !== undefined && schema.maximum < Number.MAX_SAFE_INTEGER) parts.push(`at most ${schema.maximum}`);
  if (schema.exclusiveMaximum !== undefined) parts.push(`below ${schema.exclusiveMaximum}`);
  return parts.length === 0 ? '' : ` ${parts.join(' and ')}`;
}

const nouns: Record<string, string> = {
  integer: 'whole number',
  boolean: 'true or false',
  array: 'list',
  object: 'block of fields',
  string: 'text',
};

/** What belongs into a field, in words: `a whole number at least 1`, `one of manual, auto, recommended`. */
export function expectation(schema: FieldSchema): string {
  if (schema.enum) return `one of ${schema.enum.join(', ')}`;
  if (schema.const !== undefined) return JSON.stringify(schema.const).replaceAll('"', '');
  if (schema.anyOf) return schema.anyOf.map(expectation).join(' or ');
  if (schema.type === 'boolean') return 'true or false';
  const fields = schema.type === 'object' && schema.properties ? ` (${Object.keys(schema.properties).join(', ')})` : '';
  return article(nouns[schema.type ?? ''] ?? schema.type ?? 'value') + bounds(schema) + fields;
}
