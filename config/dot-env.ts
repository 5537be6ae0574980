import { readFileSync, realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'dotenv';
import { projectRoot } from './environment.ts';
import { environmentFields } from './overrides.ts';

/** Names that a `.env` of any folder may set: those that override a recipe. */
const recipeNames: readonly string[] = [...Object.keys(environmentFields), 'DRY_RUN'];

type Variables = Record<string, string | undefined>;

/** Where `.env` files are looked for. */
type Folders = { workingDirectory?: string; checkout?: string };

/**
 * Adds what `.env` files set to an environment; what is set there stays. All of the checkout's counts. From the working
 * directory's only the names that override a recipe do, and before the checkout's: whoever wrote a folder that one
 * happens to stand in must not say which programs run and where keys go. An environment that the embedded stack made is
 * whole, and what it leaves out was left out on purpose.
 *
 * @returns what was ignored, as a line for people; null = nothing
 */
export function applyDotEnv(env: Variables, folders: Folders = {}): string | null {
  const { workingDirectory = process.cwd(), checkout = projectRoot } = folders;
  if (env['RATCHET_EMBEDDED'] !== undefined) return null;
  const own = readDotEnv(checkout);
  const here = isSame(workingDirectory, checkout) ? {} : readDotEnv(workingDirectory);
  const mayCount = ([name]: [string, string]) => recipeNames.includes(name);
  const set = { ...own, ...Object.fromEntries(Object.entries(here).filter(mayCount)) };
  // What the checkout says of spending nothing is not taken back by a folder.
  if (own['DRY_RUN']) set['DRY_RUN'] = own['DRY_RUN'];
  for (const [name, value] of Object.entries(set)) env[name] ??= value;
  const ignored = Object.entries(here).filter(
    (entry) => !mayCount(entry) && entry[1] !== '' && own[entry[0]] !== entry[1],
  );
  return ignored.length === 0
    ? null
    : ignoredWords(
        ignored.map(([name]) => name),
        workingDirectory,
        checkout,
      );
}

const mostNamed = 8;

function ignoredWords(names: string[], folder: string, checkout: string): string {
  const more = names.length > mostNamed ? ` and ${names.length - mostNamed} more` : '';
  const named = `${names.slice(0, mostNamed).join(', ')}${more}`;
  return `${join(folder, '.env')}: ignored ${named}. In a working directory only settings of a recipe count (${recipeNames[0] ?? ''} and the like). Fix: write them into ${join(checkout, '.env')}, or set them in the shell.`;
}

/** Nobody writes longer ones by hand. */
const mostBytes = 1_000_000;

function readDotEnv(folder: string): Record<string, string> {
  const file = join(folder, '.env');
  try {
    const found = statSync(file);
    // A pipe of that name would be waited for.
    if (!found.isFile() || found.size > mostBytes) return {};
    return parse(readFileSync(file));
  } catch {
    return {};
  }
}

function isSame(folder: string, other: string): boolean {
  try {
    return realpathSync(folder) === realpathSync(other);
  } catch {
    return false;
  }
}
