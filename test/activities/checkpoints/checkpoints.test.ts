import { mkdirSync, writeFileSync } from 'node:fs';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  checkpointPrefix,
  commitCheckpoint,
  finishTraining,
  newestWhole,
} from '../../../activities/checkpoints/checkpoints.ts';
import { openLease, readLease } from '../../../activities/checkpoints/lease.ts';
import { createLog } from '../../../activities/logging.ts';
import type { Store } from '../../../activities/store/store.ts';
import { startTestS3 } from '../../setup/s3.ts';
import type { TestS3 } from '../../setup/s3.ts';

let s3: TestS3;
let store: Store;
const log = createLog({ service: 'test', level: 'error' });

beforeAll(async () => {
  s3 = await startTestS3();
  store = s3.newStore();
});
afterAll(() => s3.stop());

/** A checkpoint folder as a trainer writes it: a few files, content told by the step. */
const checkpointAt = (step: number, mark = ''): { step: number; directory: string } => {
  const directory = join(s3.newFolder(), `step-${step}`);
  mkdirSync(directory);
  writeFileSync(join(directory, 'adapter.safetensors'), `weights ${step} ${mark}`.repeat(1000));
  writeFileSync(join(directory, 'optimizer.pt'), `optimizer ${step} ${mark}`);
  return { step, directory };
};
const keep = { keep: 2 };
const failsAs = (type: string): unknown => expect.objectContaining({ type });

describe('lease', () => {
  test('each taker gets the next epoch; the one before finds out and can change nothing', async () => {
    const first = await openLease(store, 'l/one', 'a');
    const second = await openLease(store, 'l/one', 'b');
    expect([first.epoch, second.epoch]).toEqual([1, 2]);
    await expect(first.check()).rejects.toEqual(failsAs('LeaseLost'));
    await expect(first.update((record) => ({ ...record, microBatch: 1 }))).rejects.toEqual(failsAs('LeaseLost'));
    await second.check();
    expect((await readLease(store, 'l/one'))?.record).toMatchObject({ epoch: 2, owner: 'b', microBatch: null });
  });

  test('of eight takers at once all get epochs of their own and the last one holds it', async () => {
    const leases = await Promise.all(Array.from({ length: 8 }, (_, n) => openLease(store, 'l/many', `owner-${n}`)));
    expect(leases.map(({ epoch }) => epoch).sort((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    const checks = await Promise.allSettled(leases.map((lease) => lease.check()));
    expect(checks.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });

  test('an own swap whose answer was lost is not taken for a loss', async () => {
    const lease = await openLease(store, 'l/lost-answer', 'a');
    const behind = await readLease(store, 'l/lost-answer');
    // The same record again, under another ETag where the server counts versions; and one that truly differs.
    await store.objects.swap(
      'l/lost-answer/lease.json',
      JSON.stringify({ ...behind?.record, microBatch: 4 }),
      behind?.etag ?? '',
    );
    const after = await lease.update((record) => ({ ...record, microBatch: 2 }));
    expect(after.microBatch).toBe(2);
  });

  test('a look at the lease that is answered late does not bring back what was before a change', async () => {
    let wake = (): void => undefined;
    const asleep = new Promise<void>((resolve) => (wake = resolve));
    let wasRead = (): void => undefined;
    const inWindow = new Promise<void>((resolve) => (wasRead = resolve));
    let isSlow = false;
    const getJson: Store['getJson'] = async (key) => {
      const found = await store.getJson(key);
      if (isSlow) {
        wasRead();
        await asleep;
      }
      return found;
    };
    const lease = await openLease({ ...store, getJson }, 'l/late-look', 'a');
    isSlow = true;
    const looking = lease.check();
    await inWindow;
    isSlow = false;
    await lease.update((record) => ({ ...record, microBatch: 4 }));
    wake();
    await looking;
    expect(lease.record().microBatch).toBe(4);
  });

  test('changes made at the same time are all kept', async () => {
    const lease = await openLease(store, 'l/same-time', 'a');
    await Promise.all([10, 20, 30].map((step) => commitCheckpoint(store, lease, checkpointAt(step), { keep: 5 })));
    expect(lease.record().checkpoints.map(({ step }) => step)).toEqual([10, 20, 30]);
  });
});

describe('commit', () => {
  test('newest by number, not by name', async () => {
    const lease = await openLease(store, 'c/order', 'a');
    for (const step of [9, 10, 999_999, 1_000_000])
      await commitCheckpoint(store, lease, checkpointAt(step), { keep: 9 });
    const next = await openLease(s3.newStore(), 'c/order', 'b');
    expect((await newestWhole(s3.newStore(), next, s3.newFolder(), log))?.step).toBe(1_000_000);
  });

  test('keeps the last k, and of those before nothing is left', async () => {
    const lease = await openLease(store, 'c/keep', 'a');
    for (const step of [1, 2, 3, 4]) await commitCheckpoint(store, lease, checkpointAt(step), keep);
    const folders = new Set((await store.objects.list('c/keep/epoch-')).map((key) => key.split('/')[3]));
    expect([...folders]).toEqual(['step-000003', 'step-000004']);
  });

  test('the best stays beside the last k: the first after the lowest held-out loss was measured', async () => {
    const lease = await openLease(store, 'c/best', 'a');
    const losses: [number, number | null][] = [
      ...([
        [1, null],
        [2, 0.9],
        [3, 0.5],
        [4, 0.5],
      ] as [number, number][]),
      ...([
        [5, 0.7],
        [6, 0.8],
      ] as [number, number][]),
    ];
    for (const [step, evalLoss] of losses)
      await commitCheckpoint(store, lease, { ...checkpointAt(step), evalLoss }, keep);
    expect(lease.record().checkpoints.map(({ step, evalLoss }) => [step, evalLoss])).toEqual([
      [3, 0.5],
      [5, 0.7],
      [6, 0.8],
    ]);
    // A better one takes its place; the newest is what training goes on from all the same.
    await commitCheckpoint(store, lease, { ...checkpointAt(7), evalLoss: 0.4 }, keep);
    await commitCheckpoint(store, lease, { ...checkpointAt(8), evalLoss: 0.6 }, keep);
    expect(lease.record().checkpoints.map(({ step }) => step)).toEqual([7, 8]);
    expect((await newestWhole(s3.newStore(), lease, s3.newFolder(), log))?.step).toBe(8);
    const folders = new Set((await store.objects.list('c/best/epoch-')).map((key) => key.split('/')[3]));
    expect([...folders]).toEqual(['step-000007', 'step-000008']);
  });

  test('a finished training keeps its newest checkpoint', async () => {
    const lease = await openLease(store, 'c/finished', 'a');
    for (const step of [1, 2, 3]) await commitCheckpoint(store, lease, checkpointAt(step), keep);
    await finishTraining(store, lease, { steps: 3 });
    expect((await readLease(store, 'c/finished'))?.record).toMatchObject({
      ...{ final: { steps: 3 }, checkpoints: [{ step: 3 }] },
    });
    const folders = new Set((await store.objects.list('c/finished/epoch-')).map((key) => key.split('/')[3]));
    expect([...folders]).toEqual(['step-000003']);
  });

  test('a zombie that wakes in the middle of an upload, after its successor committed, changes nothing', async () => {
    const zombie = await openLease(store, 'c/zombie', 'zombie');
    await commitCheckpoint(store, zombie, checkpointAt(10), keep);
    // It uploads step 20 and falls asleep between its last look at the lease and the manifest: the widest window.
    let wake = (): void => undefined;
    const asleep = new Promise<void>((resolve) => (wake = resolve));
    let fellAsleep = (): void => undefined;
    const inWindow = new Promise<void>((resolve) => (fellAsleep = resolve));
    const sleepy = {
      ...store,
      objects: {
        ...store.objects,
        putIfAbsent: async (key: string, body: string): Promise<boolean> => {
          fellAsleep();
          await asleep;
          return store.objects.putIfAbsent(key, body);
        },
      },
    };
    const late = commitCheckpoint(sleepy, zombie, checkpointAt(20, 'zombie'), keep);
    await inWindow;
    const successor = await openLease(store, 'c/zombie', 'successor');
    expect((await newestWhole(store, successor, s3.newFolder(), log))?.step).toBe(10);
    await commitCheckpoint(store, successor, checkpointAt(20, 'successor'), keep);
    wake();
    await expect(late).rejects.toEqual(failsAs('LeaseLost'));
    // Its manifest did get written, and still it does not count, now or for any later attempt.
    expect(await store.objects.read(`${checkpointPrefix('c/zombie', 1, 20)}/manifest.json`)).not.toBeNull();
    const third = await openLease(store, 'c/zombie', 'third');
    const found = await newestWhole(s3.newStore(), third, s3.newFolder(), log);
    expect(found?.step).toBe(20);
    expect(await readFile(join(found?.directory ?? '', 'optimizer.pt'), 'utf8')).toBe('optimizer 20 successor');
  });
});

describe('newest whole', () => {
  test('none where nothing was ever committed', async () => {
    const lease = await openLease(store, 'n/none', 'a');
    expect(await newestWhole(store, lease, s3.newFolder(), log)).toBeNull();
  });

  test.each<[string, (key: string) => Promise<void>]>([
    ['a file with other bytes', (key) => store.objects.put(`${key}/optimizer.pt`, 'rotten', 'text/plain')],
    [
      'a file of the right length with one other byte',
      (key) => store.objects.put(`${key}/optimizer.pt`, 'optimizer 21 ', 'text/plain'),
    ],
    ['a missing file', (key) => store.objects.remove([`${key}/adapter.safetensors`])],
    ['a missing manifest', (key) => store.objects.remove([`${key}/manifest.json`])],
  ])('%s: falls back to the one before, says so and forgets the damaged one', async (what, damage) => {
    const prefix = `n/${what.replaceAll(' ', '-')}`;
    const lease = await openLease(store, prefix, 'a');
    await commitCheckpoint(store, lease, checkpointAt(10), keep);
    await commitCheckpoint(store, lease, checkpointAt(20), keep);
    await damage(checkpointPrefix(prefix, 1, 20));
    const next = await openLease(store, prefix, 'b');
    const folder = s3.newFolder();
    const lines: string[] = [];
    const listening = log.child({});
    listening.warn = ((message: string) => (lines.push(message), listening)) as typeof listening.warn;
    expect((await newestWhole(s3.newStore(), next, folder, listening))?.step).toBe(10);
    expect(lines).toEqual(['checkpoint of step 20 is damaged, falling back to the one before']);
    expect(await readdir(folder)).toEqual(['step-000010']);
    expect((await readLease(store, prefix))?.record.checkpoints.map(({ step }) => step)).toEqual([10]);
  });
});
