import { writeFileSync } from 'node:fs';
import { mkdir, readFile, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ApplicationFailure } from '@temporalio/common';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createS3Client } from '../../../activities/store/client.ts';
import { sha256 } from '../../../activities/store/files.ts';
import { getFolder, putFolder, readManifest } from '../../../activities/store/folders.ts';
import { createStore } from '../../../activities/store/store.ts';
import type { Store } from '../../../activities/store/store.ts';
import { startTestS3 } from '../../setup/s3.ts';
import type { TestS3 } from '../../setup/s3.ts';

let s3: TestS3;
let store: Store;

beforeAll(async () => {
  s3 = await startTestS3();
  store = s3.newStore();
});
afterAll(() => s3.stop());

const failsAs = (type: string) => expect.objectContaining({ type }) as ApplicationFailure;

describe('rows', () => {
  test('come back as they went up, with digest, bytes and count', async () => {
    const rows = [
      { id: 'a', text: 'ä "quoted"\n' },
      { id: 'b', text: '' },
      { id: 'c', text: 'a line\u2028that JSON does not end\r\u2029' },
    ];
    const ref = await store.putRows('t/rows.jsonl', rows);
    const text = rows.map((row) => `${JSON.stringify(row)}\n`).join('');
    expect(ref).toEqual({
      uri: 's3://ratchet/t/rows.jsonl',
      sha256: sha256(text),
      bytes: Buffer.byteLength(text),
      rows: 3,
    });
    expect(await s3.newStore().rows(ref)).toEqual(rows);
  });

  test('stream through: 300,000 rows (60 MB, several parts) with little memory', async () => {
    async function* many(): AsyncGenerator<{ n: number; text: string }> {
      for (let n = 0; n < 300_000; n++) yield await Promise.resolve({ n, text: 'x'.repeat(190) });
    }
    globalThis.gc?.();
    const before = process.memoryUsage().rss;
    const ref = await store.putRows('t/many.jsonl', many());
    let sum = 0;
    for await (const row of s3.newStore().readRows<{ n: number }>(ref)) sum += row.n;
    expect(ref.rows).toBe(300_000);
    expect(sum).toBe((300_000 * 299_999) / 2);
    expect(process.memoryUsage().rss - before).toBeLessThan(400e6);
  });

  test('are read from the host cache when the server no longer has them', async () => {
    const ref = await store.putRows('t/cached.jsonl', [1, 2]);
    await store.objects.remove(['t/cached.jsonl']);
    expect(await store.rows(ref)).toEqual([1, 2]);
    await expect(s3.newStore().rows(ref)).rejects.toEqual(failsAs('ArtefactDamaged'));
  });

  test('that changed in S3 are ArtefactDamaged, and nothing of them stays in the cache', async () => {
    const ref = await store.putRows('t/changed.jsonl', [{ a: 1 }]);
    await store.objects.put('t/changed.jsonl', '{"a":2}\n', 'text/plain');
    const other = s3.newStore();
    await expect(other.rows(ref)).rejects.toEqual(failsAs('ArtefactDamaged'));
    expect(
      (await readdir(other.cacheDir, { recursive: true })).filter((name) => /partial-|[0-9a-f]{64}/.test(name)),
    ).toEqual([]);
  });

  test('an error of the caller’s own rows keeps its name and uploads nothing', async () => {
    const refuse = Object.assign(new Error('bad row'), { name: 'InvalidData' });
    const rows = (function* () {
      yield 1;
      throw refuse;
    })();
    await expect(store.putRows('t/never.jsonl', rows)).rejects.toBe(refuse);
    expect(await store.objects.read('t/never.jsonl')).toBeNull();
  });
});

describe('conditional writes', () => {
  test('of sixteen writers at once one puts, one swaps', async () => {
    const writers = Array.from({ length: 16 }, (_, n) => String(n));
    const put = await Promise.all(writers.map((text) => store.objects.putIfAbsent('t/once', text)));
    expect(put.filter(Boolean)).toHaveLength(1);
    const { etag } = (await store.objects.read('t/once')) ?? { etag: '' };
    const swapped = await Promise.all(writers.map((text) => store.objects.swap('t/once', `new ${text}`, etag)));
    expect(swapped.filter((tag) => tag !== null)).toHaveLength(1);
  });

  test('put-if-absent takes its own earlier write for a success', async () => {
    expect(await store.objects.putIfAbsent('t/again', 'same')).toBe(true);
    expect(await store.objects.putIfAbsent('t/again', 'same')).toBe(true);
    expect(await store.objects.putIfAbsent('t/again', 'other')).toBe(false);
  });

  test('swap on what is not there is a conflict, not an error', async () => {
    expect(await store.objects.swap('t/nothing', 'x', '"0123"')).toBeNull();
  });
});

describe('folders', () => {
  const makeFolder = async (): Promise<string> => {
    const folder = s3.newFolder();
    await mkdir(join(folder, 'sub'));
    await writeFile(join(folder, 'weights.bin'), Buffer.alloc(20 * 1024 * 1024, 7));
    await writeFile(join(folder, 'sub', 'config.json'), '{}');
    return folder;
  };

  test('go up and down whole; equal folders have manifests of equal digest', async () => {
    const folder = await makeFolder();
    const ref = await putFolder(store, folder, 't/folder-1');
    expect((await putFolder(store, folder, 't/folder-2')).sha256).toBe(ref.sha256);
    expect((await readManifest(store, ref)).files.map(({ name }) => name)).toEqual(['sub/config.json', 'weights.bin']);
    const target = join(s3.newFolder(), 'copy');
    await getFolder(s3.newStore(), ref, target);
    expect((await readFile(join(target, 'weights.bin'))).equals(await readFile(join(folder, 'weights.bin')))).toBe(
      true,
    );
    expect(await readFile(join(target, 'sub', 'config.json'), 'utf8')).toBe('{}');
  });

  test('with one damaged file are refused and leave nothing behind', async () => {
    const ref = await putFolder(store, await makeFolder(), 't/folder-3');
    await store.objects.put('t/folder-3/sub/config.json', '[]', 'application/json');
    const parent = s3.newFolder();
    await expect(getFolder(s3.newStore(), ref, join(parent, 'copy'))).rejects.toEqual(failsAs('ArtefactDamaged'));
    expect(await readdir(parent)).toEqual([]);
  });

  test('stopped before the manifest do not exist', async () => {
    const stop = (): Promise<void> =>
      Promise.reject(ApplicationFailure.create({ type: 'LeaseLost', message: 'stopped' }));
    await expect(putFolder(store, await makeFolder(), 't/folder-4', { beforeManifest: stop })).rejects.toEqual(
      failsAs('LeaseLost'),
    );
    expect(await store.objects.read('t/folder-4/manifest.json')).toBeNull();
  });

  test('a manifest that names a file outside is refused', async () => {
    const text = JSON.stringify({ version: 1, files: [{ name: '../evil', bytes: 0, sha256: sha256('') }] });
    const ref = await store.putText('t/folder-5/manifest.json', text, 'application/json');
    await expect(getFolder(store, ref, join(s3.newFolder(), 'copy'))).rejects.toEqual(failsAs('ArtefactDamaged'));
  });
});

describe('errors are named and carry their fix', () => {
  const storeWith = (change: Partial<TestS3['surroundings']['s3']>, bucket = 'ratchet'): Store => {
    const client = createS3Client({ ...s3.surroundings.s3, ...change }, 1);
    return createStore({ client, bucket, cacheDir: s3.newFolder() });
  };
  const refused = (credentials: { accessKeyId: string; secretAccessKey: string }): Store => storeWith({ credentials });

  test.each<[string, () => Store, string, RegExp]>([
    ['no bucket', () => storeWith({}, 'no-such-bucket'), 'BucketMissing', /aws s3 mb s3:\/\/no-such-bucket/],
    [
      'unknown key',
      () => refused({ accessKeyId: 'nobody', secretAccessKey: 'x' }),
      'CredentialsRefused',
      /AWS_ACCESS_KEY_ID/,
    ],
    [
      'wrong secret',
      () => refused({ accessKeyId: 'ratchet', secretAccessKey: 'x' }),
      'CredentialsRefused',
      /AWS_SECRET_ACCESS_KEY/,
    ],
    ['no server', () => storeWith({ endpoint: 'http://127.0.0.1:1' }), 'StorageUnavailable', /AWS_ENDPOINT_URL_S3/],
  ])('%s', async (_, make, type, fix) => {
    const broken = make();
    const errors: unknown[] = [];
    const calls = [
      () => broken.putRows('t/x', [1]),
      () => broken.getJson('t/x'),
      () => broken.objects.putIfAbsent('t/x', '1'),
    ];
    for (const call of calls) errors.push(await call().catch((error: unknown) => error));
    for (const error of errors) {
      expect(error).toEqual(failsAs(type));
      expect((error as Error).message).toMatch(fix);
    }
  });

  test('a server that hangs', async () => {
    const client = createS3Client(s3.surroundings.s3, 1, 300);
    const broken = createStore({ client, bucket: 'ratchet', cacheDir: s3.newFolder() });
    process.kill(s3.pid(), 'SIGSTOP');
    try {
      await expect(broken.getJson('t/x')).rejects.toEqual(failsAs('StorageUnavailable'));
    } finally {
      process.kill(s3.pid(), 'SIGCONT');
    }
  });

  test('a cached file that was cut short is downloaded again', async () => {
    const ref = await store.putRows('t/short.jsonl', ['abc']);
    const path = await store.fetch(ref);
    await rm(path);
    writeFileSync(path, 'abc');
    await truncate(path, 2);
    expect(await store.rows(ref)).toEqual(['abc']);
  });
});
