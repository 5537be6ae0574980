import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import pLimit from 'p-limit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { commitCheckpoint, newestWhole } from '../../../activities/checkpoints/checkpoints.ts';
import { openLease } from '../../../activities/checkpoints/lease.ts';
import { createLog } from '../../../activities/logging.ts';
import type { Store } from '../../../activities/store/store.ts';
import { startS3Proxy } from '../../setup/s3-proxy.ts';
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

const FILES = ['adapter.safetensors', 'optimizer.pt'];
const contentOf = (step: number, name: string): string => `${name} of step ${step} `.repeat(100);
function checkpointAt(step: number): string {
  const directory = join(s3.newFolder(), `step-${step}`);
  mkdirSync(directory);
  for (const name of FILES) writeFileSync(join(directory, name), contentOf(step, name));
  return directory;
}

type KillPoint = { number: number; when: 'before' | 'after' } | null;

/** Commits step 20 over 5 and 10, in a process killed at one of its requests. @returns requests that S3 was sent */
async function commitKilledAt(prefix: string, point: KillPoint): Promise<string[]> {
  const earlier = await openLease(store, prefix, 'earlier');
  for (const step of [5, 10]) {
    await commitCheckpoint(store, earlier, { step, directory: checkpointAt(step) }, { keep: 2 });
  }
  const requests: string[] = [];
  const kill = async (when: 'before' | 'after', number: number): Promise<void> => {
    if (point?.when !== when || point.number !== number) return;
    child.kill('SIGKILL');
    await ended;
  };
  const proxy = await startS3Proxy(s3.surroundings.s3.endpoint ?? '', {
    before: async ({ number, method, key }) => {
      await kill('before', number);
      if (child.signalCode === null) requests.push(`${method} ${key}`);
      return child.signalCode === null ? null : 'Killed';
    },
    after: ({ number }) => kill('after', number),
  });
  const script = join(import.meta.dirname, '../../setup/commit-in-process.ts');
  const child = spawn(process.execPath, [script, proxy.endpoint, prefix, '20', checkpointAt(20)], {
    env: { ...process.env, ...s3.env },
    stdio: 'inherit',
  });
  const ended = once(child, 'exit');
  await ended;
  proxy.stop();
  return requests;
}

/** The step that a reader finds; every byte of it is checked. */
async function foundAfter(prefix: string): Promise<number> {
  const reader = s3.newStore();
  const lease = await openLease(reader, prefix, 'reader');
  const found = await newestWhole(reader, lease, s3.newFolder(), log);
  if (found === null) throw new Error(`${prefix}: no checkpoint is left`);
  for (const name of FILES) {
    expect(await readFile(join(found.directory, name), 'utf8')).toBe(contentOf(found.step, name));
  }
  return found.step;
}

test('a process killed before or after any of its requests: the checkpoint is whole or absent, the one before is there', async () => {
  const all = await commitKilledAt('k/undisturbed', null);
  expect(await foundAfter('k/undisturbed')).toBe(20);
  // The lease taken, two files, the lease looked at, the manifest, the swap that makes it count; then removals.
  const swap = all.findLastIndex((request) => request === 'PUT /ratchet/k/undisturbed/lease.json') + 1;
  expect(swap).toBeGreaterThan(5);
  expect(all.length).toBeGreaterThan(swap);
  const points = all.flatMap((_, index) => (['before', 'after'] as const).map((when) => ({ number: index + 1, when })));
  const limit = pLimit(4);
  const outcomes = await limit.map(points, async (point) => {
    const prefix = `k/${point.when}-${point.number}`;
    await commitKilledAt(prefix, point);
    return { ...point, found: await foundAfter(prefix) };
  });
  const counts = ({ number, when }: (typeof points)[number]): boolean =>
    number > swap || (number === swap && when === 'after');
  expect(outcomes).toEqual(points.map((point) => ({ ...point, found: counts(point) ? 20 : 10 })));
});
