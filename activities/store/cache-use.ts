import { AsyncLocalStorage } from 'node:async_hooks';
import { randomUUID } from 'node:crypto';
import { mkdir, readdir, rm, rmdir, stat, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/**
 * Who uses what of a host's cache. A mark is an empty file, touched each minute by the process that made it: so a process
 * that is gone holds nothing for long, in whatever container it was and whoever has its process number now.
 */

/** A mark that nobody has touched for so long is of a process that is gone. */
export const staleMarkMs = 10 * 60_000;
const touchedEveryMs = 60_000;

/** Marks of the work in progress; what is fetched outside of any holds until its process ends. */
const work = new AsyncLocalStorage<Set<string>>();
const held = new Set<string>();
let touching: NodeJS.Timeout | undefined;

function keepTouched(mark: string): void {
  held.add(mark);
  touching ??= setInterval(() => {
    const now = new Date();
    for (const path of held) void utimes(path, now, now).catch(() => undefined);
  }, touchedEveryMs).unref();
}

const folderOf = (directory: string, entry: string): string => join(directory, 'in-use', entry);

/** What this work takes from a cache stays there until the work ends. */
export async function holdingCache<Result>(doing: () => Promise<Result>): Promise<Result> {
  const marks = new Set<string>();
  try {
    return await work.run(marks, doing);
  } finally {
    for (const mark of marks) await release(mark);
  }
}

/** Takes a mark away; it holds nothing any more. */
export async function release(mark: string): Promise<void> {
  held.delete(mark);
  await rm(mark, { force: true }).catch(() => undefined);
  // The last one out takes the folder along.
  await rmdir(dirname(mark)).catch(() => undefined);
}

/** Marks an entry as in use; to be called before one looks whether it is there. @param entry digest @returns the mark */
export async function markInUse(directory: string, entry: string): Promise<string> {
  const folder = folderOf(directory, entry);
  const mark = join(folder, randomUUID());
  // Whoever makes room removes empty folders; then this is done once more.
  for (let tries = 0; ; tries += 1) {
    try {
      await mkdir(folder, { recursive: true });
      await writeFile(mark, '');
      break;
    } catch (error) {
      if (tries === 3 || (error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
  work.getStore()?.add(mark);
  keepTouched(mark);
  return mark;
}

/** Whether a process of this host uses an entry; marks of those that are gone are removed. */
export async function isInUse(directory: string, entry: string): Promise<boolean> {
  const folder = folderOf(directory, entry);
  let used = false;
  for (const name of await readdir(folder).catch(() => [])) {
    const mark = join(folder, name);
    const found = await stat(mark).catch(() => null);
    if (found === null) continue;
    if (Date.now() - found.mtimeMs < staleMarkMs) used = true;
    else await rm(mark, { force: true });
  }
  return used;
}
