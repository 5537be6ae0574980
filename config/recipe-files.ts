import { isUtf8 } from 'node:buffer';
import { existsSync, readFileSync, readdirSync, realpathSync, statSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { parse as parseYaml } from 'yaml';
import { refusal, suggestName } from './problem.ts';
import { parseRecipeText } from './recipe-text.ts';
import type { RecipeText } from './recipe-text.ts';

/** Recipes that come with ratchet. */
export const recipesFolder = resolve(import.meta.dirname, 'recipes');

/** Names of the shipped recipes, sorted. */
export const recipeNames = (folder = recipesFolder): string[] =>
  readdirSync(folder)
    .filter((file) => file.endsWith('.yaml'))
    .map((file) => basename(file, '.yaml'))
    .sort();

/** Name and one-line description of each shipped recipe, for `ratchet recipes`. */
export const listRecipes = (folder = recipesFolder): { name: string; description: string; file: string }[] =>
  recipeNames(folder).map((name) => {
    const file = join(folder, `${name}.yaml`);
    const { description } = parseYaml(readFileSync(file, 'utf8')) as { description?: unknown };
    return { name, description: typeof description === 'string' ? description : '', file };
  });

/** Whether a text names a file rather than a shipped recipe. */
export const isRecipePath = (nameOrPath: string): boolean =>
  /[/\\]/.test(nameOrPath) || /\.(?:ya?ml|json)$/i.test(nameOrPath);

/**
 * Reads a recipe by the name of a shipped one, or by path when the text looks like a path (`/` in it, or `.yaml` at the
 * end; relative to the working directory, then to the checkout, since workers run elsewhere).
 *
 * @throws InvalidRecipe naming the nearest recipe
 */
export function readRecipeText(nameOrPath: string, folder = recipesFolder): RecipeText {
  const isPath = isRecipePath(nameOrPath);
  const file = isPath ? locate(nameOrPath) : join(folder, `${nameOrPath}.yaml`);
  if (!existsSync(file)) {
    const problem = isPath ? `there is no file ${file}` : `there is no recipe "${nameOrPath}"`;
    const fix = isPath
      ? 'give the path of a YAML file, or the name of a shipped recipe'
      : `${suggestName(nameOrPath, recipeNames(folder))}, or give the path of a YAML file`;
    throw refusal([{ type: 'InvalidRecipe', field: 'recipe', problem, fix }]);
  }
  return parseRecipeText(readText(file), basename(file));
}

/** A recipe of more bytes is none. */
const mostBytes = 1024 ** 2;

/** @throws InvalidRecipe where the file is no text of a recipe's size: a folder, a device, a file of the kernel, a large one */
function readText(file: string): string {
  const refuse = (problem: string): Error =>
    refusal([{ type: 'InvalidRecipe', field: 'recipe', problem, fix: 'give the path of a YAML file' }]);
  const target = realpathSync(file);
  const stat = statSync(target);
  if (!stat.isFile() || /^\/(?:proc|sys|dev)\//.test(target)) throw refuse(`${file} is no regular file`);
  if (stat.size > mostBytes) throw refuse(`${file} has ${stat.size} bytes, more than ${mostBytes}`);
  const bytes = readFileSync(target);
  if (!isUtf8(bytes)) throw refuse(`${file} is not in UTF-8`);
  return bytes.toString('utf8');
}

function locate(path: string): string {
  const here = resolve(path);
  const inCheckout = resolve(import.meta.dirname, '..', path);
  return existsSync(here) || !existsSync(inCheckout) ? here : inCheckout;
}
