import { expect, test } from 'vitest';
import { createUploadQueue } from '../../../activities/checkpoints/upload-queue.ts';
import type { Saved } from '../../../activities/checkpoints/upload-queue.ts';
import { failure } from '../../../activities/failure.ts';
import { createLog } from '../../../activities/logging.ts';

const saved = (step: number): Saved => ({ step, directory: `/checkpoints/step-${step}` });

/** A queue whose uploads end when the test says so. */
function startQueue() {
  const uploads: { step: number; end: (error?: Error) => void }[] = [];
  const superseded: number[] = [];
  const lost: Error[] = [];
  const queue = createUploadQueue({
    commit: ({ step }) =>
      new Promise((resolve, reject) => {
        const manifest = { uri: `s3://b/${step}`, sha256: '', bytes: 0, rows: 0 };
        uploads.push({
          step,
          end: (error) => {
            if (error) reject(error);
            else resolve({ step, epoch: 1, manifest });
          },
        });
      }),
    superseded: ({ step }) => superseded.push(step),
    lost: (reason) => lost.push(reason),
    log: createLog({ service: 'test', level: 'error' }),
  });
  return { queue, uploads, superseded, lost, steps: () => uploads.map(({ step }) => step) };
}
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const outage = failure('StorageUnavailable', 'no server');

test('one upload at a time; what was superseded while waiting is never sent', async () => {
  const { queue, uploads, superseded, steps } = startQueue();
  for (const step of [10, 20, 30]) queue.add(saved(step));
  expect(steps()).toEqual([10]);
  expect(superseded).toEqual([20]);
  uploads[0]?.end();
  await settled();
  expect(steps()).toEqual([10, 30]);
  const drained = queue.drain();
  uploads[1]?.end();
  await drained;
  expect(superseded).toEqual([20, 10]);
  expect(queue.committed()?.step).toBe(30);
});

test('an outage loses nothing: the newest stays on disk and goes up with the next one, or at the end', async () => {
  const { queue, uploads, superseded, steps } = startQueue();
  queue.add(saved(10));
  uploads[0]?.end(outage);
  await settled();
  expect(superseded).toEqual([]);
  queue.add(saved(20));
  expect(superseded).toEqual([10]);
  uploads[1]?.end(outage);
  await settled();
  const drained = queue.drain();
  await settled();
  expect(steps()).toEqual([10, 20, 20]);
  uploads[2]?.end();
  await drained;
  expect(queue.committed()?.step).toBe(20);
});

test('drain says why the newest is not up', async () => {
  const { queue, uploads } = startQueue();
  queue.add(saved(10));
  const drained = queue.drain();
  uploads[0]?.end(outage);
  await settled();
  uploads[1]?.end(outage);
  await expect(drained).rejects.toBe(outage);
});

test('after the lease is lost nothing is uploaded, and it is told once', async () => {
  const { queue, uploads, lost, steps } = startQueue();
  queue.add(saved(10));
  const gone = failure('LeaseLost', 'epoch 1 is over');
  uploads[0]?.end(gone);
  await settled();
  queue.add(saved(20));
  await expect(queue.drain()).rejects.toBe(gone);
  expect(steps()).toEqual([10]);
  expect(lost).toEqual([gone]);
});
