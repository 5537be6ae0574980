import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync } from 'node:fs';
import { rmSync, statfsSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { createCache } from '../../../activities/store/cache.ts';
import type { Cache } from '../../../activities/store/cache.ts';
import { holdingCache } from '../../../activities/store/cache-use.ts';
import { sha256 } from '../../../activities/store/files.ts';

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

const kilobyte = 1000;

/** A cache that may hold so many bytes, in a folder of its own. */
function cacheOf(mostBytes: number): { directory: string; cache: Cache } {
  const directory = mkdtempSync(join(tmpdir(), 'ratchet-cache-'));
  folders.push(directory);
  const { blocks, bsize } = statfsSync(directory);
  return { directory, cache: createCache(directory, mostBytes / (blocks * bsize)) };
}

const refOf = (text: string) => ({ uri: 's3://b/k', sha256: sha256(text), bytes: Buffer.byteLength(text), rows: 0 });
const textOf = (name: string): string => name.repeat(kilobyte).slice(0, kilobyte);

/** Takes a kilobyte of its own name, downloaded unless it is there. */
const take = (cache: Cache, name: string): Promise<string> => {
  const text = textOf(name);
  return cache.fetch(refOf(text), (path) => {
    writeFileSync(path, text);
    return Promise.resolve({ sha256: sha256(text), bytes: text.length });
  });
};
const pathIn = (directory: string, name: string): string => {
  const digest = sha256(textOf(name));
  return join(directory, 'objects', digest.slice(0, 2), digest);
};
const has = (directory: string, name: string): boolean => existsSync(pathIn(directory, name));
/** As if it had been used so many hours ago. */
const age = (path: string, hours: number): void => {
  const then = Date.now() / 1000 - hours * 3600;
  utimesSync(path, then, then);
};
const one = async (cache: Cache, name: string): Promise<void> => {
  await holdingCache(() => take(cache, name));
};

describe('the cache of a host', () => {
  it('stays below its bound; what was used least recently goes first', async () => {
    const { directory, cache } = cacheOf(3.5 * kilobyte);
    for (const [index, name] of ['a', 'b', 'c'].entries()) {
      await one(cache, name);
      age(pathIn(directory, name), 9 - index);
    }
    await one(cache, 'a');
    await one(cache, 'd');
    expect(['a', 'b', 'c', 'd'].filter((name) => has(directory, name))).toEqual(['a', 'c', 'd']);
  });

  it('counts what other processes have put there', async () => {
    const { directory } = cacheOf(kilobyte);
    for (const name of ['a', 'b', 'c']) {
      await one(createCache(directory, 1), name);
      age(pathIn(directory, name), 1);
    }
    const { blocks, bsize } = statfsSync(directory);
    await one(createCache(directory, (2.5 * kilobyte) / (blocks * bsize)), 'd');
    expect(['a', 'b', 'c', 'd'].filter((name) => has(directory, name))).toHaveLength(2);
    expect(has(directory, 'd')).toBe(true);
  });

  it('keeps what work in progress uses, however old, until it ends', async () => {
    const { directory, cache } = cacheOf(1.5 * kilobyte);
    await holdingCache(async () => {
      const path = await take(cache, 'a');
      age(path, 99);
      await one(cache, 'b');
      await one(cache, 'c');
      expect(readFileSync(path, 'utf8')).toBe(textOf('a'));
    });
    await one(cache, 'd');
    expect(has(directory, 'a')).toBe(false);
  });

  it('keeps what another process uses, and no longer than that one lives', async () => {
    const { directory, cache } = cacheOf(1.5 * kilobyte);
    await one(cache, 'a');
    age(pathIn(directory, 'a'), 99);
    const source = join(import.meta.dirname, '../../../activities/store/cache-use.ts');
    const script = `const { markInUse } = await import(${JSON.stringify(source)});
      await markInUse(${JSON.stringify(directory)}, ${JSON.stringify(sha256(textOf('a')))});
      console.log('holds it'); setInterval(() => {}, 1e6);`;
    const other = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await new Promise((resolve) => other.stdout.once('data', resolve));
    await one(cache, 'b');
    expect(has(directory, 'a')).toBe(true);
    const ended = new Promise((resolve) => other.once('exit', resolve));
    other.kill('SIGKILL');
    await ended;
    // Nobody touches its mark any more.
    const marks = join(directory, 'in-use', sha256(textOf('a')));
    for (const mark of readdirSync(marks)) age(join(marks, mark), 1);
    await one(cache, 'c');
    expect(has(directory, 'a')).toBe(false);
  });

  it('removes what killed processes had begun, and nothing that is being written', async () => {
    const { directory, cache } = cacheOf(100 * kilobyte);
    const partial = join(directory, 'partial');
    const folder = join(directory, 'folders', 'f.partial-1-x');
    mkdirSync(partial, { recursive: true });
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(partial, 'file.partial-1-old'), 'x');
    writeFileSync(join(partial, 'file.partial-1-new'), 'x');
    writeFileSync(join(folder, 'weights'), 'x');
    for (const path of [join(partial, 'file.partial-1-old'), folder]) age(path, 2);
    await cache.room.clear();
    expect(readdirSync(partial)).toEqual(['file.partial-1-new']);
    expect(existsSync(folder)).toBe(true);
    age(join(folder, 'weights'), 2);
    age(folder, 2);
    await cache.room.clear();
    expect(existsSync(folder)).toBe(false);
  });

  it('makes room where the disk is full, and tries once more', async () => {
    const { directory, cache } = cacheOf(100 * kilobyte);
    await one(cache, 'a');
    const text = textOf('b');
    let tries = 0;
    const full = (path: string) => {
      tries += 1;
      if (has(directory, 'a')) return Promise.reject(Object.assign(new Error('no space left'), { code: 'ENOSPC' }));
      writeFileSync(path, text);
      return Promise.resolve({ sha256: sha256(text), bytes: text.length });
    };
    await holdingCache(() => cache.fetch(refOf(text), full));
    expect(tries).toBe(2);
    expect(has(directory, 'a')).toBe(false);
    const always = () => Promise.reject(Object.assign(new Error('no space left'), { code: 'ENOSPC' }));
    await expect(cache.fetch(refOf(textOf('c')), always)).rejects.toMatchObject({ type: 'DiskFull' });
  });
});
