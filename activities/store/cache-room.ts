import { readdir, rename, rm, rmdir, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { isInUse } from './cache-use.ts';
import { temporaryName } from './files.ts';

/** Share of its disk that a cache may take where nothing else is set. */
export const usualCacheShare = 0.5;

/** A file that was begun and not written to for so long is left from a process that was killed. */
const leftOverMs = 60 * 60_000;
/** Other processes put things into the same cache: it is measured again after so long. */
const measuredAgainMs = 10 * 60_000;
/** Making room stops at this share of the bound, so that it is not begun anew with each file. */
const fullEnough = 0.9;

type Entry = { digest: string; path: string; bytes: number; usedMs: number };

/**
 * Keeps a cache below its bound: what was used least recently goes first, and never what a process of this host uses.
 *
 * @param share of the file system that the cache lies on, above 0, at most 1
 */
export function createRoom(directory: string, share: number) {
  let known: { bytes: number; atMs: number } | null = null;
  let making: Promise<number> | null = null;

  const mostBytes = async (): Promise<number> => {
    const { blocks, bsize } = await statfs(directory);
    return blocks * bsize * share;
  };

  /** @returns bytes freed */
  const make = async (downToBytes: number): Promise<number> => {
    await removeLeftOvers(directory);
    const entries = (await entriesOf(directory)).sort((one, other) => one.usedMs - other.usedMs);
    const before = entries.reduce((sum, { bytes }) => sum + bytes, 0);
    let bytes = before;
    for (const entry of entries) {
      if (bytes <= downToBytes) break;
      if (await removeUnused(directory, entry)) bytes -= entry.bytes;
    }
    known = { bytes, atMs: Date.now() };
    return before - bytes;
  };
  const once = (downToBytes: number): Promise<number> => {
    making ??= make(downToBytes).finally(() => {
      making = null;
    });
    return making;
  };

  return {
    mostBytes,

    /** To be told of each new entry. Never fails: a cache that is too large is no reason to end a run. */
    added: async (bytes: number): Promise<void> => {
      try {
        const most = await mostBytes();
        if (known !== null) known.bytes += bytes;
        const isFresh = known !== null && Date.now() - known.atMs < measuredAgainMs;
        if (known !== null && isFresh && known.bytes <= most) return;
        const measured = known !== null && isFresh ? known.bytes : await measure(directory);
        known = { bytes: measured, atMs: Date.now() };
        if (measured > most) await once(most * fullEnough);
      } catch {
        known = null;
      }
    },

    /** For a disk that is full: all that is not in use goes. @returns bytes freed */
    clear: (): Promise<number> => once(0).catch(() => 0),
  };
}

const measure = async (directory: string): Promise<number> =>
  (await entriesOf(directory)).reduce((sum, { bytes }) => sum + bytes, 0);

const names = (folder: string): Promise<string[]> => readdir(folder).catch(() => []);
const isUnfinished = (name: string): boolean => name.includes('.partial-');

/** All that is whole in a cache: files by digest, and folders by the digest of their manifest. */
async function entriesOf(directory: string): Promise<Entry[]> {
  const entries: Entry[] = [];
  const add = async (folder: string, digest: string): Promise<void> => {
    const path = join(folder, digest);
    const found = await stat(path).catch(() => null);
    if (found === null || isUnfinished(digest)) return;
    const bytes = found.isDirectory() ? (await treeOf(path)).bytes : found.size;
    entries.push({ digest, path, bytes, usedMs: found.mtimeMs });
  };
  const objects = join(directory, 'objects');
  for (const part of await names(objects)) {
    for (const name of await names(join(objects, part))) await add(join(objects, part), name);
  }
  for (const name of await names(join(directory, 'folders'))) await add(join(directory, 'folders'), name);
  return entries;
}

/** Bytes of a file or of all files below a folder, and when the newest of them was written to. */
async function treeOf(path: string): Promise<{ bytes: number; newestMs: number }> {
  const found = await stat(path).catch(() => null);
  if (found === null) return { bytes: 0, newestMs: 0 };
  let [bytes, newestMs] = [found.isDirectory() ? 0 : found.size, found.mtimeMs];
  for (const name of found.isDirectory() ? await names(path) : []) {
    const inside = await treeOf(join(path, name));
    bytes += inside.bytes;
    newestMs = Math.max(newestMs, inside.newestMs);
  }
  return { bytes, newestMs };
}

/** @returns whether it is gone */
async function removeUnused(directory: string, { digest, path }: Entry): Promise<boolean> {
  if (await isInUse(directory, digest)) return false;
  const aside = temporaryName(path);
  try {
    await rename(path, aside);
  } catch {
    return false;
  }
  // Somebody may have found it between the look and the rename: what is marked by now goes back.
  if (await isInUse(directory, digest)) {
    const isBack = await rename(aside, path).then(
      () => true,
      () => false,
    );
    if (isBack) return false;
  }
  await rm(aside, { recursive: true, force: true });
  await rmdir(join(directory, 'in-use', digest)).catch(() => undefined);
  return true;
}

/** What processes that were killed had begun to write. */
async function removeLeftOvers(directory: string): Promise<void> {
  const objects = join(directory, 'objects');
  const folders = [
    join(directory, 'partial'),
    join(directory, 'folders'),
    ...(await names(objects)).map((part) => join(objects, part)),
  ];
  for (const folder of folders) {
    for (const name of (await names(folder)).filter(isUnfinished)) {
      const path = join(folder, name);
      if (Date.now() - (await treeOf(path)).newestMs > leftOverMs) await rm(path, { recursive: true, force: true });
    }
  }
}
