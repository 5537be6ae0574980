import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  ListPartsCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import type { S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { commitCheckpoint, finishTraining, newestWhole } from '../../../activities/checkpoints/checkpoints.ts';
import { openLease, readLease } from '../../../activities/checkpoints/lease.ts';
import type { Lease } from '../../../activities/checkpoints/lease.ts';
import { sweep } from '../../../activities/checkpoints/sweep.ts';
import type { SweepOptions } from '../../../activities/checkpoints/sweep.ts';
import { createLog } from '../../../activities/logging.ts';
import { createS3Client } from '../../../activities/store/client.ts';
import { getFolder, putFolder } from '../../../activities/store/folders.ts';
import type { Store } from '../../../activities/store/store.ts';
import { startTestS3 } from '../../setup/s3.ts';
import type { TestS3 } from '../../setup/s3.ts';

let s3: TestS3;
let store: Store;
let client: S3Client;
const log = createLog({ service: 'test', level: 'error' });
const DAY_MS = 24 * 3600_000;

beforeAll(async () => {
  s3 = await startTestS3();
  store = s3.newStore();
  client = createS3Client(s3.surroundings.s3);
});
afterAll(async () => {
  client.destroy();
  await s3.stop();
});

const trainingOf = (run: string): string => `runs/${run}/A-1/training-0123456789abcdef`;
const sweeping = (run: string, more: Partial<SweepOptions> = {}, through = store) =>
  sweep(through, {
    ...{ run, olderThanMs: 7 * DAY_MS, checkpoints: false, dryRun: false, now: new Date() },
    ...more,
  });
/** A folder on disk with two files; its content is told by the mark. */
const folderOf = (mark: string): string => {
  const directory = s3.newFolder();
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'adapter.safetensors'), `weights ${mark}`.repeat(1000));
  writeFileSync(join(directory, 'optimizer.pt'), `optimizer ${mark}`);
  return directory;
};
const commit = (lease: Lease, step: number, through = store) =>
  commitCheckpoint(through, lease, { step, directory: folderOf(`${step}`) }, { keep: 2 });
/** What an attempt leaves that was killed in the middle of an upload: files, no manifest. */
const halfUpload = (folder: string) => store.objects.put(`${folder}/adapter.safetensors`, 'half', 'text/plain');
const keysOf = (run: string) => store.objects.list(`runs/${run}/`);

/** A finished training with the litter of the attempts before, and a state and a report that refer to what it left. */
async function finishedRun(run: string) {
  const training = trainingOf(run);
  const first = await openLease(store, training, `${run}-1`);
  await commit(first, 10);
  await halfUpload(`${training}/epoch-0001/step-000020`);
  // A zombie's: whole, and still it does not count.
  await putFolder(store, folderOf('zombie'), `${training}/epoch-0001/step-000030`);
  await store.objects.put(`${training}/epoch-0001/diverged.jsonl`, '{}\n', 'application/x-ndjson');
  const second = await openLease(store, training, `${run}-2`);
  await commit(second, 20);
  await commit(second, 30);
  const adapter = await putFolder(store, folderOf('adapter'), `${training}/epoch-0002/adapter`);
  const metrics = await store.putRows(`${training}/epoch-0002/metrics.jsonl`, [{ step: 1 }]);
  await finishTraining(store, second, { adapter, metrics });
  await store.putJson(`${training}/progress/epoch-0001.json`, {});
  const drafts = await store.putRows(`runs/${run}/drafts-1/drafts.jsonl`, [{ id: 'q' }]);
  await store.putJson(`runs/${run}/state.json`, { run, drafts, phases: [{ adapter, metrics }] });
  await store.putJson(`runs/${run}/report.json`, { artefacts: [{ name: 'drafts', ref: drafts }] });
  return { training, adapter, metrics, drafts };
}

describe('litter', () => {
  test('goes, and everything that a run refers to is still there and whole', async () => {
    const { training, adapter, metrics, drafts } = await finishedRun('tidy');
    // Another run went on from an adapter that no lease names any more.
    const adopted = await putFolder(store, folderOf('adopted'), `${training}/epoch-0001/adapter`);
    await store.putJson('runs/other/state.json', { promoted: { adapter: adopted } });
    await store.putJson('teacher/0000.json', { answer: 'yes' });
    const before = await keysOf('tidy');

    const told = await sweeping('tidy', { dryRun: true });
    expect(await keysOf('tidy')).toEqual(before);
    const { removed, objects, bytes } = await sweeping('tidy');
    expect(told).toEqual({ dryRun: true, removed, uploads: [], skipped: [], objects, bytes });
    expect(removed.map(({ folder, why, objects: n }) => [folder.slice(training.length + 1), why, n])).toEqual([
      ['epoch-0001/step-000020', 'a finished training', 1],
      ['epoch-0001/step-000030', 'a finished training', 3],
    ]);
    expect(bytes).toBeGreaterThan(4000);
    const gone = before.filter((key) => /epoch-0001\/step-0000[23]0\//.test(key));
    expect(await keysOf('tidy')).toEqual(before.filter((key) => !gone.includes(key)));

    const fresh = s3.newStore();
    for (const ref of [adapter, adopted]) await getFolder(fresh, ref, join(s3.newFolder(), 'whole'));
    expect(await fresh.rows(metrics)).toEqual([{ step: 1 }]);
    expect(await fresh.rows(drafts)).toEqual([{ id: 'q' }]);
    const next = await openLease(fresh, training, 'looks');
    expect((await newestWhole(fresh, next, s3.newFolder(), log))?.step).toBe(30);
    expect((await sweeping('tidy')).removed).toEqual([]);
  });

  test('of older attempts goes at once; what the live one sends up stays, until nobody came back for it', async () => {
    const training = trainingOf('live');
    await commit(await openLease(store, training, 'a'), 10);
    await halfUpload(`${training}/epoch-0001/step-000020`);
    const live = await openLease(store, training, 'b');
    await halfUpload(`${training}/epoch-0002/step-000020`);
    expect((await sweeping('live')).removed).toMatchObject([
      { folder: `${training}/epoch-0001/step-000020`, why: 'a lost attempt' },
    ]);
    expect((await sweeping('live', { now: new Date(Date.now() + 8 * DAY_MS) })).removed).toMatchObject([
      { folder: `${training}/epoch-0002/step-000020`, why: 'nobody came back for it' },
    ]);
    expect((await newestWhole(s3.newStore(), live, s3.newFolder(), log))?.step).toBe(10);
  });

  test('of one run only, where one is named', async () => {
    for (const run of ['mine', 'mine-too']) await finishedRun(run);
    const others = await keysOf('mine-too');
    expect((await sweeping('mine')).removed).toHaveLength(2);
    expect(await keysOf('mine-too')).toEqual(others);
  });

  test('the last checkpoint of a finished training goes when that is asked for, its adapter stays', async () => {
    const { training, adapter } = await finishedRun('freed');
    const { removed } = await sweeping('freed', { checkpoints: true });
    expect(removed.map(({ folder }) => folder.slice(training.length + 1))).toEqual([
      'epoch-0001/step-000020',
      'epoch-0001/step-000030',
      'epoch-0002/step-000030',
    ]);
    expect((await readLease(store, training))?.record).toMatchObject({ checkpoints: [], final: { adapter } });
    await getFolder(s3.newStore(), adapter, join(s3.newFolder(), 'whole'));
  });
});

describe('beside a running training', () => {
  test('a commit that is between its files and its manifest while the sweep runs comes to count', async () => {
    const lease = await openLease(store, trainingOf('slow'), 'a');
    let go = (): void => undefined;
    const swept = new Promise<void>((resolve) => (go = resolve));
    let uploaded = (): void => undefined;
    const inWindow = new Promise<void>((resolve) => (uploaded = resolve));
    const putIfAbsent = async (key: string, body: string): Promise<boolean> => {
      uploaded();
      await swept;
      return store.objects.putIfAbsent(key, body);
    };
    const committing = commit(lease, 10, { ...store, objects: { ...store.objects, putIfAbsent } });
    await inWindow;
    expect((await sweeping('slow')).removed).toEqual([]);
    go();
    await committing;
    expect((await newestWhole(s3.newStore(), lease, s3.newFolder(), log))?.step).toBe(10);
  });

  test('a whole commit, and the end of a training, between the listing and the look at the lease survive', async () => {
    const training = trainingOf('between');
    const lease = await openLease(store, training, 'a');
    await commit(lease, 10);
    const adapter = await putFolder(store, folderOf('adapter'), `${training}/epoch-0001/adapter`);
    const entries = async (prefix: string) => {
      const listed = await store.objects.entries(prefix);
      await commit(lease, 20);
      await finishTraining(store, lease, { adapter });
      return listed;
    };
    const { removed } = await sweeping('between', {}, { ...store, objects: { ...store.objects, entries } });
    // Step 10 ceased to count and was removed by the training itself; removing it again harms nothing.
    expect(removed.map(({ folder }) => folder)).toEqual([`${training}/epoch-0001/step-000010`]);
    const next = await openLease(store, training, 'looks');
    expect((await newestWhole(s3.newStore(), next, s3.newFolder(), log))?.step).toBe(20);
    await getFolder(s3.newStore(), adapter, join(s3.newFolder(), 'whole'));
  });
});

describe('what cannot be read', () => {
  test('a state: nobody knows what it refers to, so nothing goes', async () => {
    await finishedRun('unsure');
    const before = await keysOf('unsure');
    await store.objects.put('runs/broken/state.json', '{"adapter": "s3://', 'application/json');
    await expect(sweeping('unsure')).rejects.toMatchObject({ type: 'ArtefactDamaged' });
    expect(await keysOf('unsure')).toEqual(before);
    await store.objects.remove(['runs/broken/state.json']);
  });

  test('a lease: its training is left alone, and that is said', async () => {
    const { training } = await finishedRun('damaged');
    await store.objects.put(`${training}/lease.json`, '{"version": 9}', 'application/json');
    const before = await keysOf('damaged');
    expect(await sweeping('damaged')).toMatchObject({ removed: [], skipped: [{ training }] });
    expect(await keysOf('damaged')).toEqual(before);
  });
});

test('multipart uploads: one that has been open for a day is aborted, a fresh one can be completed', async () => {
  const target = { Bucket: store.bucket, Key: `${trainingOf('parts')}/epoch-0001/step-000010/big` };
  const begin = async () => {
    const { UploadId } = await client.send(new CreateMultipartUploadCommand(target));
    const part = { ...target, UploadId, PartNumber: 1 };
    const { ETag } = await client.send(new UploadPartCommand({ ...part, Body: 'a part' }));
    return { UploadId, ETag };
  };
  const fresh = await begin();
  const stale = await begin();
  expect((await sweeping('parts')).uploads).toEqual([]);
  const parts = { Parts: [{ PartNumber: 1, ETag: fresh.ETag }] };
  await client.send(
    new CompleteMultipartUploadCommand({ ...target, UploadId: fresh.UploadId, MultipartUpload: parts }),
  );
  const tomorrow = new Date(Date.now() + 1.1 * DAY_MS);
  const listed = [{ key: target.Key, id: stale.UploadId }];
  expect((await sweeping('parts', { now: tomorrow, dryRun: true })).uploads).toMatchObject(listed);
  expect((await sweeping('parts', { now: tomorrow })).uploads).toMatchObject(listed);
  await expect(client.send(new ListPartsCommand({ ...target, UploadId: stale.UploadId }))).rejects.toThrow();
  expect((await store.objects.read(target.Key))?.body).toBe('a part');
});
