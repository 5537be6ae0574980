import { parse as parseYaml } from 'yaml';
import { nearestName } from '../domain/nearest.ts';
import { refusal } from './problem.ts';
import { fieldPath, schemaOf } from './recipe-fields.ts';
import type { FieldPath, FieldSchema } from './recipe-fields.ts';

/** One field set from outside the recipe; `by` is the environment variable, or `--set`. */
export type Setting = { path: (string | number)[]; value: unknown; by: string };

/** The settings of the reference implementation's `.env`, and the recipe fields that they override. */
export const environmentFields = {
  DATASET_NAME: ['data.source'],
  TRAIN_SAMPLES: ['data.samples'],
  RANDOM_SEED: ['seed'],
  MODEL_NAME: ['model.base'],
  MAX_NEW_TOKENS: ['drafts.maxNewTokens'],
  BATCH_SIZE: ['phaseA.batchSize', 'phaseB.batchSize', 'phaseC.batchSize'],
  USE_4BIT: ['model.use4bit'],
  MAX_SEQ_LENGTH: ['phaseA.maxLength', 'phaseB.maxLength', 'phaseC.maxLength'],
  GPT4_MODEL: ['teacher.model'],
  GPT4_MAX_TOKENS: ['teacher.maxTokens'],
  GPT4_TEMPERATURE: ['teacher.temperature'],
} as const;

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Settings that the environment makes; an empty variable counts as not set. Text becomes what the field holds (`True`
 * and `1` are both true); what cannot be read stays text, so that the schema's refusal names it.
 */
export function environmentSettings(environment: Environment): Setting[] {
  return Object.entries(environmentFields).flatMap(([variable, fields]) => {
    const text = environment[variable]?.trim();
    if (text === undefined || text === '') return [];
    return fields.map((field) => {
      const path = fieldPath(field);
      return { path, value: readAs(schemaOf(path), text), by: variable };
    });
  });
}

const truths: Record<string, boolean> = {
  true: true,
  '1': true,
  yes: true,
  on: true,
  false: false,
  '0': false,
  no: false,
  off: false,
};

function readAs(schema: FieldSchema | undefined, text: string): unknown {
  const types = [schema, ...(schema?.anyOf ?? [])].map((option) => option?.type);
  if (types.includes('null') && text.toLowerCase() === 'null') return null;
  if (types.includes('boolean')) return truths[text.toLowerCase()] ?? text;
  if (types.includes('integer') || types.includes('number')) return Number.isNaN(Number(text)) ? text : Number(text);
  return text;
}

/**
 * `DRY_RUN` of the environment: plan and price everything, spend nothing, train nothing.
 *
 * @throws InvalidRecipe on anything but true/false, yes/no, on/off, 1/0: a typo there must not spend money
 */
export function isDryRun(environment: Environment): boolean {
  const text = environment['DRY_RUN']?.trim().toLowerCase() ?? '';
  if (text === '') return false;
  const value = truths[text];
  if (value !== undefined) return value;
  const problem = `expected True or False, got "${environment['DRY_RUN'] ?? ''}"`;
  throw refusal([{ type: 'InvalidRecipe', field: 'DRY_RUN', problem, fix: 'set DRY_RUN=True or DRY_RUN=False' }]);
}

/**
 * Reads `phaseB.learningRate=1e-5`; the value is YAML, so numbers, true, lists and `{a: 1}` are what they look like.
 *
 * @throws InvalidRecipe without `=` or with a value that is no YAML
 */
export function parseSet(text: string): Setting {
  const at = text.indexOf('=');
  const name = text.slice(0, Math.max(at, 0)).trim();
  const problem = (what: string, fix: string) =>
    refusal([{ type: 'InvalidRecipe', field: `--set ${text}`, problem: what, fix }]);
  if (name === '') throw problem('expected FIELD=VALUE', 'write, for example, --set phaseB.learningRate=1e-5');
  try {
    return { path: fieldPath(name), value: parseYaml(text.slice(at + 1)) as unknown, by: '--set' };
  } catch (error) {
    throw problem(
      `the value is not YAML: ${error instanceof Error ? (error.message.split('\n')[0] ?? '') : ''}`,
      'quote it',
    );
  }
}

/** Settings of `overrides` as a workflow gets them: dotted names, nested objects, or a mixture. */
export function overrideSettings(overrides: Readonly<Record<string, unknown>>, by = '--set'): Setting[] {
  const collect = (value: unknown, path: FieldPath): Setting[] => {
    const inner = typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.entries(value) : [];
    if (inner.length === 0) return [{ path: [...path], value, by }];
    return inner.flatMap(([key, member]) => collect(member, [...path, ...fieldPath(key)]));
  };
  return Object.entries(overrides).flatMap(([key, value]) => collect(value, fieldPath(key)));
}

type Container = Record<string | number, unknown>;

/**
 * Sets a field within a plain object, making the blocks on the way. A list that the recipe leaves to its default is
 * filled from `defaults` first, so that `phaseC.stages.0.beta` changes the default schedule.
 */
export function applySetting(target: Record<string, unknown>, setting: Setting, defaults: unknown): void {
  let container = target as Container;
  let standard = defaults;
  const { path } = setting;
  for (const [index, key] of path.slice(0, -1).entries()) {
    standard = (standard as Container | undefined)?.[key];
    const existing = Object.hasOwn(container, key) ? container[key] : undefined;
    if (typeof existing !== 'object' || existing === null) {
      const listed = typeof path[index + 1] === 'number';
      container[key] = listed ? structuredClone(standard ?? []) : {};
    }
    container = container[key] as Container;
  }
  const last = path.at(-1);
  if (last !== undefined) container[last] = setting.value;
}

/** How to write the name of a field that does not exist: its nearest sibling, or the same name elsewhere. */
export function suggestField(
  path: FieldPath,
  key: string,
  siblings: readonly string[],
  all: readonly string[],
): string {
  const elsewhere = all.filter((name) => name === key || name.endsWith(`.${key}`));
  if (elsewhere.length > 0) return `write ${elsewhere.join(' or ')}`;
  const prefix = path.length === 0 ? '' : `${path.join('.')}.`;
  const nearest = nearestName(key, siblings);
  if (nearest !== null) return `write ${prefix}${nearest}`;
  return siblings.length === 0 ? 'remove it' : `use one of ${siblings.map((name) => `${prefix}${name}`).join(', ')}`;
}
