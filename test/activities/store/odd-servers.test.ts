import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { checkBucket } from '../../../activities/recipes/check-world.ts';
import type { CheckDeps } from '../../../activities/recipes/check-world.ts';
import { openLease } from '../../../activities/checkpoints/lease.ts';
import { createS3Client } from '../../../activities/store/client.ts';
import { sha256 } from '../../../activities/store/files.ts';
import { PIECE_BYTES } from '../../../activities/store/pieces.ts';
import { createStore } from '../../../activities/store/store.ts';
import type { Store } from '../../../activities/store/store.ts';
import { shareCaps } from '../../../activities/teacher/shared-caps.ts';
import { projectRoot } from '../../../config/environment.ts';
import type { Log } from '../../../activities/logging.ts';
import { doctor } from '../../../infra/embedded/doctor.ts';
import { checkStorage } from '../../../workers/check-storage.ts';
import { broken, usable } from '../../setup/differing-servers.ts';
import { refusal, startOddS3, without } from '../../setup/odd-s3.ts';
import type { Answer, OddS3, Oddity } from '../../setup/odd-s3.ts';
import { startTestS3 } from '../../setup/s3.ts';
import type { TestS3 } from '../../setup/s3.ts';
import { startTestStack } from '../../setup/stack.ts';
import { unusable } from '../../setup/unusable-servers.ts';

let s3: TestS3;
const ends: (() => void)[] = [];

beforeAll(async () => {
  s3 = await startTestS3();
});
afterAll(async () => {
  for (const end of ends) end();
  await s3.stop();
});

type Odd = { odd: OddS3; store: Store; client: S3Client };

/** A store of a host of its own, at a server with an oddity. */
async function storeAt(oddity: Oddity, change: Partial<TestS3['surroundings']['s3']> = {}): Promise<Odd> {
  const odd = await startOddS3(s3.surroundings.s3, oddity);
  const client = createS3Client({ ...odd.s3, ...change }, 2, 1_000);
  ends.push(() => {
    client.destroy();
    odd.stop();
  });
  return { odd, client, store: createStore({ client, bucket: s3.surroundings.bucket, cacheDir: s3.newFolder() }) };
}

const envOf = ({ s3: { endpoint = '' } }: OddS3) => ({
  AWS_ENDPOINT_URL_S3: endpoint,
  RATCHET_BUCKET: s3.surroundings.bucket,
  AWS_ACCESS_KEY_ID: s3.surroundings.s3.credentials?.accessKeyId,
  AWS_SECRET_ACCESS_KEY: s3.surroundings.s3.credentials?.secretAccessKey,
});
describe('a server that cannot be used is refused at the check', () => {
  test.concurrent.each(unusable)('one that %s', async (_, oddity, type, words) => {
    const { store, odd } = await storeAt(oddity);
    await expect(store.objects.checkServer('checks/x')).rejects.toMatchObject({
      type,
      message: expect.stringMatching(words) as string,
      nonRetryable: type !== 'StorageUnavailable',
    });
    expect(odd.asked.length).toBeLessThan(50);
  });

  test('also by validate, which names the setting', async () => {
    const { store } = await storeAt((asked, pass) => pass(without(asked.headers, /^if-/)));
    const problems = await checkBucket({ store } as CheckDeps, 'odd-1');
    expect(problems).toMatchObject([
      { type: 'StorageUnsuitable', field: 'RATCHET_BUCKET', fix: expect.stringContaining('versitygw') as string },
    ]);
  });

  test('also by doctor, with the fix', async () => {
    const { odd } = await storeAt((asked, pass) => pass(without(asked.headers, /^if-/)));
    const checks = await doctor({ ...process.env, ...s3.env, AWS_ENDPOINT_URL_S3: odd.s3.endpoint ?? '' });
    expect(checks.find(({ name }) => name === 'S3')).toMatchObject({
      ok: false,
      detail: expect.stringContaining('ignores If-None-Match') as string,
      fix: expect.stringContaining('versitygw') as string,
    });
  });

  test('also by a worker, which ends and says so; one that is away is asked again, and the worker starts', async () => {
    const { store, odd } = await storeAt((asked, pass) => {
      if (odd.asked.length < 8) return refusal(503, 'SlowDown');
      return pass(without(asked.headers, /^if-/));
    });
    const warnings: string[] = [];
    const log = { warn: (text: string) => warnings.push(text) } as unknown as Log;
    const { unfit, known } = checkStorage(store, log, new AbortController().signal, 10);
    await expect(known).rejects.toMatchObject({ type: 'StorageUnsuitable' });
    expect(unfit.reason).toMatchObject({ type: 'StorageUnsuitable' });
    expect(warnings.length).toBeGreaterThan(0);
  });

  test('a worker process that starts at such a server ends with 1', async () => {
    const { odd } = await storeAt((asked, pass) => pass(without(asked.headers, /^if-/)));
    const stack = await startTestStack(['temporal']);
    ends.push(() => void stack.stop());
    const env = { ...process.env, ...s3.env, ...stack.env, ...envOf(odd), OPENAI_API_KEY: 'x' };
    const child = spawn(process.execPath, [join(projectRoot, 'workers', 'api.ts')], { env });
    let said = '';
    child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
    const [code] = (await once(child, 'exit')) as [number];
    expect(said).toContain('ignores If-None-Match');
    expect(code).toBe(1);
  });

  test('the bucket in the server’s address is named', async () => {
    const { store, odd } = await storeAt(() => refusal(404, 'NoSuchBucket'));
    const client = createS3Client({ ...odd.s3, endpoint: `${odd.s3.endpoint ?? ''}/ratchet` }, 1);
    ends.push(() => {
      client.destroy();
    });
    const other = createStore({ client, bucket: store.bucket, cacheDir: s3.newFolder() });
    await expect(other.objects.checkServer('checks/x')).rejects.toMatchObject({
      type: 'BucketMissing',
      message: expect.stringContaining('AWS_ENDPOINT_URL_S3 names the bucket ratchet too') as string,
    });
  });
});

describe('a server that differs is used as it is', () => {
  const content = randomBytes(PIECE_BYTES + 100_000);

  test.each(usable)('one that %s', async (name, oddity, most = 0) => {
    const refusals: Answer[] = [];
    const { store, odd } = await storeAt(async (asked, pass, raw) => {
      const answer = await oddity(asked, pass, raw);
      if (answer && answer.status >= 400 && ![409, 412].includes(answer.status)) refusals.push(answer);
      return answer;
    });
    const file = join(s3.newFolder(), 'file');
    await writeFile(file, content);
    const key = (what: string): string => `odd/${sha256(name).slice(0, 8)}/${what}`;

    // First what meets the difference by itself, on another host than the one that checked.
    const ref = await store.putFile(key('large'), file);
    const copy = join(s3.newFolder(), 'copy');
    await store.download(ref, copy);
    expect((await readFile(copy)).equals(content)).toBe(true);
    expect(await store.objects.putIfAbsent(key('once'), 'one')).toBe(true);
    expect(await store.objects.putIfAbsent(key('once'), 'two')).toBe(false);
    const found = await store.objects.read(key('once'));
    const etag = (await store.objects.swap(key('once'), 'three', found?.etag ?? '')) ?? '';
    expect(await store.objects.swap(key('once'), 'four', found?.etag ?? '')).toBeNull();
    expect(await store.objects.swap(key('once'), 'five', etag)).not.toBeNull();
    await store.putRows(key('rows'), [{ a: 1 }]);
    await store.putJson(key('json'), { a: 1 });

    await store.objects.checkServer(key('checks/x'));
    expect(await store.objects.list(key('checks/'))).toEqual([]);
    expect(refusals.length, 'the difference is remembered').toBeLessThanOrEqual(most);
    expect(odd.asked.length).toBeLessThan(80);
  });
});

describe('what a server does while a run is under way ends by name, after few requests', () => {
  const writes: [name: string, write: (store: Store, key: string) => Promise<unknown>][] = [
    ['put-if-absent', (store, key) => store.objects.putIfAbsent(key, 'x')],
    ['compare-and-swap', (store, key) => store.objects.change(key, (found) => `${found ?? ''}x${Math.random()}`)],
    ['a lease', (store, key) => openLease(store, key, `owner of ${key}`)],
    [
      'shared caps',
      async (store, key) => {
        const pace = { cap: () => undefined, pause: () => undefined } as unknown as Parameters<typeof shareCaps>[3];
        (await shareCaps(store, key, { requestsPerMinute: 1, tokensPerMinute: null }, pace))();
      },
    ],
  ];
  const cases = broken.flatMap(([name, oddity, words]) =>
    writes.map(([what, write]) => [name, what, oddity, words, write] as const),
  );

  test.concurrent.each(cases)('one that %s: %s', async (name, what, oddity, words, write) => {
    const { store, odd } = await storeAt(oddity);
    const key = `ends/${sha256(name + what).slice(0, 12)}`;
    const outcome = await write(store, key).then(
      () => null,
      (error: unknown) => error,
    );
    // A write that was done and refused is found by reading.
    if (outcome !== null || !/has done it/.test(name))
      expect(outcome).toMatchObject({ type: 'StorageUnavailable', message: expect.stringMatching(words) as string });
    expect(odd.asked.length).toBeLessThan(80);
  });
});
