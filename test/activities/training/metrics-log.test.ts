import { appendFileSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { commitCheckpoint, finishTraining } from '../../../activities/checkpoints/checkpoints.ts';
import { openLease } from '../../../activities/checkpoints/lease.ts';
import type { Lease } from '../../../activities/checkpoints/lease.ts';
import { sweep } from '../../../activities/checkpoints/sweep.ts';
import { createLog } from '../../../activities/logging.ts';
import type { Store } from '../../../activities/store/store.ts';
import { openMetrics } from '../../../activities/training/metrics-log.ts';
import type { MetricsLog, MetricsRow } from '../../../activities/training/metrics-log.ts';
import { attemptFolder } from '../../../activities/training/resume.ts';
import { startTestS3 } from '../../setup/s3.ts';
import type { TestS3 } from '../../setup/s3.ts';

let s3: TestS3;
let store: Store;
const log = createLog({ service: 'test', level: 'silent' });
beforeAll(async () => {
  s3 = await startTestS3();
  store = s3.newStore();
});
afterAll(() => s3.stop());

const stepRow = (step: number): MetricsRow => ({
  ...{ event: 'step', time: 1_700_000_000, job: 'j', step, totalSteps: 1000, epoch: 1, loss: 0.5 },
  ...{ learningRate: 0.001, gradNorm: 1, tokens: 100, tokensPerSecond: 10 },
});
const evalRow = (step: number): MetricsRow => ({
  event: 'eval',
  time: 1_700_000_000,
  job: 'j',
  step,
  epoch: 1,
  loss: step,
});

const open = async (lease: Lease, trainingFolder: string, step: number, through = store): Promise<MetricsLog> => {
  mkdirSync(attemptFolder(trainingFolder, lease.epoch), { recursive: true });
  return openMetrics({ store: through, lease, trainingFolder, step, log });
};
/** Steps after one up to another, with a measurement every ten. */
const train = (metrics: MetricsLog, from: number, to: number): void => {
  for (let step = from + 1; step <= to; step += 1) {
    metrics.add(stepRow(step));
    if (step % 10 === 0) metrics.add(evalRow(step));
  }
};
const commit = async (lease: Lease, metrics: MetricsLog, step: number): Promise<void> => {
  const directory = s3.newFolder();
  writeFileSync(join(directory, 'weights'), `weights ${step}`);
  const saved = { step, directory, evalLoss: metrics.evalLossAt(step), metrics: await metrics.putUpTo(step) };
  await commitCheckpoint(store, lease, saved, { keep: 2 });
};
const wholeUpTo = (to: number): string[] =>
  Array.from({ length: to }, (_, index) => index + 1).flatMap((step) => [
    `step ${step}`,
    ...(step % 10 === 0 ? [`eval ${step}`] : []),
  ]);
const named = ({ rows }: MetricsLog): string[] => rows.map(({ event, step }) => `${event} ${step}`);

test('what a checkpoint writes does not grow with the steps before it', async () => {
  const prefix = 'runs/growth/A-1/training-00';
  const lease = await openLease(store, prefix, 'a');
  const folder = s3.newFolder();
  const written: number[] = [];
  const put: Store['objects']['put'] = (key, body, type) => {
    written.push(body.length);
    return store.objects.put(key, body, type);
  };
  const metrics = await open(lease, folder, 0, { ...store, objects: { ...store.objects, put } });
  for (let step = 0; step < 2000; step += 50) {
    train(metrics, step, step + 50);
    await metrics.putUpTo(step + 50);
  }
  expect(written).toHaveLength(40);
  expect(Math.max(...written)).toBeLessThan(1.05 * Math.min(...written));
  const checkpoint = s3.newFolder();
  writeFileSync(join(checkpoint, 'weights'), 'w');
  await commit(lease, metrics, 2000);
  const record = lease.record().checkpoints.at(-1);
  expect(record?.metrics).toEqual([{ epoch: 1, from: 0, to: 2000 }]);
  metrics.close();
});

describe('an attempt that goes on has every step once', () => {
  test('on other hosts, over three attempts, a checkpoint that was passed over and one that was redone', async () => {
    const prefix = 'runs/hosts/A-1/training-00';
    const first = await openLease(store, prefix, 'a');
    const one = await open(first, s3.newFolder(), 0);
    train(one, 0, 37);
    await commit(first, one, 15);
    // That of step 20 is passed over by the queue; steps after 30 are lost.
    await commit(first, one, 30);
    // Its part arrives, its checkpoint does not.
    await one.putUpTo(37);

    const second = await openLease(store, prefix, 'b');
    const two = await open(second, s3.newFolder(), 30);
    expect(named(two)).toEqual(wholeUpTo(30));
    train(two, 30, 64);
    await commit(second, two, 45);
    await commit(second, two, 60);

    const third = await openLease(store, prefix, 'c');
    const three = await open(third, s3.newFolder(), 60);
    expect(named(three)).toEqual(wholeUpTo(60));
    expect(three.evalLossAt(59)).toBe(50);
    train(three, 60, 100);
    await commit(third, three, 100);
    expect(third.record().checkpoints.at(-1)?.metrics).toEqual([
      { epoch: 1, from: 0, to: 30 },
      { epoch: 2, from: 30, to: 60 },
      { epoch: 3, from: 60, to: 100 },
    ]);
    // From the checkpoint before, where the newest is damaged.
    const again = await open(await openLease(store, prefix, 'd'), s3.newFolder(), 60);
    expect(named(again)).toEqual(wholeUpTo(60));
  });

  test('on the same host, where its checkpoint is not in S3 yet and a writer was killed in the middle of a line', async () => {
    const prefix = 'runs/host/A-1/training-00';
    const folder = s3.newFolder();
    const first = await openLease(store, prefix, 'a');
    const one = await open(first, folder, 0);
    train(one, 0, 33);
    await commit(first, one, 10);
    one.close();
    const file = join(attemptFolder(folder, 1), 'metrics.jsonl');
    expect(readFileSync(file, 'utf8').trim().split('\n')).toHaveLength(36);
    appendFileSync(file, '{"event":"step","st');

    const second = await openLease(store, prefix, 'b');
    const two = await open(second, folder, 30);
    expect(named(two)).toEqual(wholeUpTo(30));
    // The files of earlier attempts do not pile up.
    expect(readdirSync(attemptFolder(folder, 1))).toEqual([]);
    expect(statSync(join(attemptFolder(folder, 2), 'metrics.jsonl')).size).toBeGreaterThan(0);
    await commit(second, two, 30);
    const third = await open(await openLease(store, prefix, 'c'), s3.newFolder(), 30);
    expect(named(third)).toEqual(wholeUpTo(30));
  });

  test('where a part was sent twice', async () => {
    const prefix = 'runs/again/A-1/training-00';
    const lease = await openLease(store, prefix, 'a');
    let fails = true;
    const put: Store['objects']['put'] = async (...how) => {
      await store.objects.put(...how);
      if (fails) throw new Error('its answer was lost');
    };
    const one = await open(lease, s3.newFolder(), 0, { ...store, objects: { ...store.objects, put } });
    train(one, 0, 40);
    await expect(one.putUpTo(20)).rejects.toThrow('lost');
    fails = false;
    await commit(lease, one, 40);
    const two = await open(await openLease(store, prefix, 'b'), s3.newFolder(), 40);
    expect(named(two)).toEqual(wholeUpTo(40));
  });
});

test('the sweep leaves the parts that a checkpoint needs, takes the others, and all when the training is finished', async () => {
  const prefix = 'runs/swept/A-1/training-00';
  const partsOf = async (): Promise<string[]> =>
    (await store.objects.list(`${prefix}/`)).filter((key) => key.includes('/metrics/'));
  const sweeping = () =>
    sweep(store, { run: 'swept', olderThanMs: 7 * 24 * 3_600_000, checkpoints: false, dryRun: false, now: new Date() });
  const first = await openLease(store, prefix, 'a');
  const one = await open(first, s3.newFolder(), 0);
  train(one, 0, 37);
  await commit(first, one, 30);
  await one.putUpTo(37);
  const second = await openLease(store, prefix, 'b');
  const two = await open(second, s3.newFolder(), 30);
  train(two, 30, 40);
  await two.putUpTo(40);
  await sweeping();
  expect(await partsOf()).toEqual([
    `${prefix}/epoch-0001/metrics/000000-000030.jsonl`,
    `${prefix}/epoch-0002/metrics/000030-000040.jsonl`,
  ]);
  await commit(second, two, 40);
  await finishTraining(store, second, { steps: 40 });
  expect(await partsOf()).toEqual([]);
  // One that a lost attempt sends late.
  await one.putUpTo(37);
  await store.objects.put(`${prefix}/epoch-0001/metrics/000030-000037.jsonl`, '{}\n', 'application/x-ndjson');
  await sweeping();
  expect(await partsOf()).toEqual([]);
});
