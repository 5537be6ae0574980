import { randomUUID } from 'node:crypto';
import { appendFileSync, closeSync, mkdirSync, openSync, readSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { diskFull, isDiskFull } from './storage-failure.ts';
import type { Store } from './store.ts';

/**
 * Plain JSON by key, on the disk of this host but for the newest few: memory holds where each value lies, some 60 bytes,
 * and not the value.
 */
export type Shelf<Key, Value> = {
  has(key: Key): boolean;
  get(key: Key): Value | undefined;
  /** In place of what was there. @throws DiskFull */
  put(key: Key, value: Value): void;
};

/** Makes an empty shelf. */
export type NewShelf = <Key, Value>() => Shelf<Key, Value>;

/** Values are written together: a write each would cost more than all the rest. Few values are never written. */
const writtenAtOnceBytes = 4 * 1024 * 1024;

/** Work with shelves, which are gone when it ends; those of a process that is killed are gone with it. */
export async function withShelves<Result>(
  { cacheDir }: Pick<Store, 'cacheDir'>,
  work: (newShelf: NewShelf) => Promise<Result>,
): Promise<Result> {
  const folder = join(cacheDir, 'partial');
  const files: number[] = [];
  try {
    return await work(() => {
      mkdirSync(folder, { recursive: true });
      const path = join(folder, `shelf-${randomUUID()}`);
      const file = openSync(path, 'wx+');
      files.push(file);
      rmSync(path);
      return shelfIn(file);
    });
  } finally {
    for (const file of files) closeSync(file);
  }
}

function shelfIn<Key, Value>(file: number): Shelf<Key, Value> {
  const places = new Map<Key, number>();
  /** Where the value of each place ends. */
  const ends: number[] = [];
  let waiting: Buffer[] = [];
  let [endOfAll, endOfWritten] = [0, 0];
  const write = (): void => {
    try {
      appendFileSync(file, Buffer.concat(waiting));
    } catch (error) {
      throw isDiskFull(error) ? diskFull('putting rows aside', error) : error;
    }
    waiting = [];
    endOfWritten = endOfAll;
  };
  const read = (place: number): Buffer => {
    const start = ends[place - 1] ?? 0;
    const text = Buffer.allocUnsafe((ends[place] ?? start) - start);
    readSync(file, text, 0, text.length, start);
    return text;
  };
  return {
    has: (key) => places.has(key),
    get(key) {
      const place = places.get(key);
      if (place === undefined) return undefined;
      const text = waiting[place - (ends.length - waiting.length)] ?? read(place);
      return JSON.parse(text.toString()) as Value;
    },
    put(key, value) {
      const text = Buffer.from(JSON.stringify(value));
      waiting.push(text);
      endOfAll += text.length;
      places.set(key, ends.length);
      ends.push(endOfAll);
      if (endOfAll - endOfWritten > writtenAtOnceBytes) write();
    },
  };
}
