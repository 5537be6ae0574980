import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { linesOf } from '../../../activities/store/lines.ts';
import { eachInParallel } from '../../../activities/store/parallel.ts';
import { withShelves } from '../../../activities/store/shelf.ts';

async function* asStream<Item>(items: Iterable<Item>): AsyncGenerator<Item> {
  for (const item of items) yield await Promise.resolve(item);
}

it('lines are what stands between newlines, wherever chunks end', async () => {
  const lines = async (chunks: string[]): Promise<string[]> => {
    const all: string[] = [];
    for await (const line of linesOf(asStream(chunks))) all.push(line);
    return all;
  };
  expect(await lines(['a\nb', 'c\n', '', '\nd\u2028\r', 'e'])).toEqual(['a', 'bc', '', 'd\u2028\re']);
  expect(await lines(['a\n'])).toEqual(['a']);
  expect(await lines([])).toEqual([]);
});

describe('a stream worked on a few at a time', () => {
  it('is taken from only where there is room', async () => {
    let [taken, done] = [0, 0];
    const ahead: number[] = [];
    async function* items() {
      while (taken < 500) yield await Promise.resolve((taken += 1));
    }
    const seen: number[] = [];
    await eachInParallel(items(), 7, async (item) => {
      ahead.push(taken - done);
      await new Promise(setImmediate);
      seen.push(item);
      done += 1;
    });
    expect(seen.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 500 }, (_, index) => index + 1));
    expect(Math.max(...ahead)).toBe(7);
  });

  it('ends with the first error, when all that had begun has ended', async () => {
    const ended: number[] = [];
    const working = eachInParallel(asStream(Array.from({ length: 100 }).keys()), 3, async (item) => {
      if (item === 10) throw new Error('no eleventh');
      await new Promise(setImmediate);
      ended.push(item);
    });
    await expect(working).rejects.toThrow('no eleventh');
    const before = ended.length;
    await new Promise(setImmediate);
    expect(ended).toHaveLength(before);
    expect(Math.max(...ended)).toBeLessThanOrEqual(12);
  });

  it('ends with the error of the stream', async () => {
    async function* items() {
      yield await Promise.resolve(1);
      throw new Error('broken stream');
    }
    const seen: number[] = [];
    const working = eachInParallel(items(), 3, (item) => Promise.resolve(void seen.push(item)));
    await expect(working).rejects.toThrow('broken stream');
    expect(seen).toEqual([1]);
  });
});

describe('a shelf', () => {
  const cacheDir = mkdtempSync(join(tmpdir(), 'ratchet-shelf-'));
  afterAll(() => {
    rmSync(cacheDir, { recursive: true });
  });

  it('gives back what was last put there, from memory or from the disk', async () => {
    await withShelves({ cacheDir }, (newShelf) => {
      const shelf = newShelf<string, { text: string }>();
      const other = newShelf<string, number>();
      const textOf = (index: number) => `${'ä'.repeat(10 * (index % 700))}${index}`;
      for (let index = 0; index < 1000; index += 1) {
        shelf.put(`k${index}`, { text: textOf(index) });
        expect(shelf.get(`k${index}`)).toEqual({ text: textOf(index) });
      }
      shelf.put('k3', { text: 'new' });
      other.put('k3', 7);
      for (const index of [0, 1, 500, 999]) expect(shelf.get(`k${index}`)).toEqual({ text: textOf(index) });
      expect([shelf.get('k3'), other.get('k3')]).toEqual([{ text: 'new' }, 7]);
      expect([shelf.has('k3'), shelf.has('none'), shelf.get('none')]).toEqual([true, false, undefined]);
      return Promise.resolve();
    });
  });

  it('leaves nothing behind, not even where its process ends half-way', async () => {
    const working = withShelves({ cacheDir }, (newShelf) => {
      newShelf<number, string>().put(1, 'x'.repeat(100_000));
      expect(readdirSync(join(cacheDir, 'partial'))).toEqual([]);
      return Promise.reject(new Error('half-way'));
    });
    await expect(working).rejects.toThrow('half-way');
  });
});
