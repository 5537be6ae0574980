import type { AblationStart } from './ablation.ts';
import { isDeeperThan, isObject, printed, shown, text } from './plain-json.ts';
import type { RunStart } from './programme.ts';

/** What a recipe needs is far below; what is above would not fit into the messages of a run. */
const mostLevels = 64;
const mostCharacters = 262_144;

const example = 'send {"recipe": "demo"}';

/** The input, or what a run that cannot begin shows in its place and why. */
export type Read<Start> = { start: Start; refusal: null } | { start: { recipe: string }; refusal: string };

/**
 * Reads the input of a workflow as far as the workflow itself needs it; the first activity checks the rest. Whoever starts
 * a workflow by hand may have sent anything, or nothing. Never throws.
 */
export function readStart<Start extends RunStart | AblationStart>(raw: unknown): Read<Start> {
  const problem = problemOf(raw);
  if (problem === null) return { start: raw as Start, refusal: null };
  return { start: { recipe: 'unreadable' }, refusal: `input of the run: ${problem}; ${example}` };
}

function problemOf(raw: unknown): string | null {
  if (!isObject(raw)) return `the input must be an object, is ${shown(raw)}`;
  const deep = Object.keys(raw).find((field) => isDeeperThan(raw[field], mostLevels));
  if (deep !== undefined) return `${deep.slice(0, 60)} is nested more than ${mostLevels} levels deep`;
  const characters = printed(raw, mostCharacters + 1).length;
  if (characters > mostCharacters) return `the input has more than ${mostCharacters} characters`;
  const own = (field: string): unknown => (Object.hasOwn(raw, field) ? raw[field] : undefined);
  return recipeProblem(own('recipe')) ?? overridesProblem(own('overrides')) ?? fromProblem(own('from'));
}

const recipeProblem = (recipe: unknown): string | null =>
  isObject(recipe) ? null : text(1000)(recipe, 'recipe, a name or the recipe itself,');

const overridesProblem = (overrides: unknown): string | null =>
  overrides === undefined || isObject(overrides) ? null : `overrides must be an object, is ${shown(overrides)}`;

function fromProblem(from: unknown): string | null {
  if (from === undefined) return null;
  if (!isObject(from)) return `from must be an object like {"run": ID}, is ${shown(from)}`;
  return text(1000)(Object.hasOwn(from, 'run') ? from['run'] : undefined, 'from.run');
}
