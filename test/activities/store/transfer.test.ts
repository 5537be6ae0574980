import { createHash, randomBytes } from 'node:crypto';
import { appendFileSync } from 'node:fs';
import { readFile, readdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { ListMultipartUploadsCommand } from '@aws-sdk/client-s3';
import { HttpRequest } from '@smithy/core/protocols';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { createS3Client } from '../../../activities/store/client.ts';
import { createHttpHandler, putBodyInto } from '../../../activities/store/http-handler.ts';
import { PIECE_BYTES } from '../../../activities/store/pieces.ts';
import { quickGet, quickPut } from '../../../activities/store/quick-requests.ts';
import { createStore } from '../../../activities/store/store.ts';
import type { Store } from '../../../activities/store/store.ts';
import type { ArtefactRef } from '../../../domain/records.ts';
import { startTestS3 } from '../../setup/s3.ts';
import type { TestS3 } from '../../setup/s3.ts';
import { startTcpProxy } from '../../setup/tcp-proxy.ts';
import type { TcpProxy } from '../../setup/tcp-proxy.ts';

let s3: TestS3;
let proxy: TcpProxy;
let client: ReturnType<typeof createS3Client>;
/** Its requests go through the proxy. */
let store: Store;

beforeAll(async () => {
  s3 = await startTestS3();
  proxy = await startTcpProxy(Number(new URL(s3.surroundings.s3.endpoint ?? '').port));
  client = createS3Client({ ...s3.surroundings.s3, endpoint: `http://127.0.0.1:${proxy.port}` }, 3);
  store = createStore({ client, bucket: s3.surroundings.bucket, cacheDir: s3.newFolder() });
});
afterEach(() => {
  proxy.up = (chunk) => chunk;
  proxy.down = (chunk) => chunk;
});
afterAll(async () => {
  client.destroy();
  proxy.stop();
  await s3.stop();
});

const failsAs = (type: string): unknown => expect.objectContaining({ type });
const digest = (content: Buffer): string => createHash('sha256').update(content).digest('hex');

const fileOf = async (content: Buffer): Promise<string> => {
  const path = join(s3.newFolder(), 'file.bin');
  await writeFile(path, content);
  return path;
};
const download = async (ref: ArtefactRef): Promise<Buffer> => {
  const path = join(s3.newFolder(), 'copy.bin');
  await store.download(ref, path);
  return readFile(path);
};
/** Does something once, at the chunk with which so many bytes have passed. */
const atByte = (bytes: number, act: (chunk: Buffer) => Buffer | null) => {
  let passed = 0;
  return (chunk: Buffer): Buffer | null => {
    const before = passed;
    passed += chunk.length;
    return before < bytes && passed >= bytes ? act(chunk) : chunk;
  };
};
const flipped = (chunk: Buffer): Buffer => {
  const copy = Buffer.from(chunk);
  const last = copy.length - 1;
  copy.writeUInt8(copy.readUInt8(last) ^ 1, last);
  return copy;
};

test.each([
  ['nothing', 0],
  ['one byte', 1],
  ['a piece', PIECE_BYTES],
  ['a piece and a byte', PIECE_BYTES + 1],
  ['more pieces than are in memory at once', 7 * PIECE_BYTES + 12_345],
])('%s goes up and comes down, with the digest of what was sent', async (_, bytes) => {
  const content = randomBytes(bytes);
  const ref = await store.putFile(`t/size-${bytes}`, await fileOf(content));
  expect(ref).toMatchObject({ bytes, sha256: digest(content) });
  expect((await download(ref)).equals(content)).toBe(true);
});

describe('on the way up', () => {
  const content = randomBytes(3 * PIECE_BYTES);
  const leftOvers = async (): Promise<unknown> =>
    (await client.send(new ListMultipartUploadsCommand({ Bucket: s3.surroundings.bucket }))).Uploads ?? [];

  describe.each([
    ['a part', content],
    ['a small file', content.subarray(0, 100_000)],
  ])('%s', (what, bytes) => {
    test('with a flipped byte is refused by the server, and sent again', async () => {
      proxy.up = atByte(bytes.length / 2, flipped);
      const ref = await store.putFile(`t/mended ${what}`, await fileOf(bytes));
      expect((await download(ref)).equals(bytes)).toBe(true);
    });

    test('that never comes whole leaves nothing', async () => {
      const key = `t/flipped ${what}`;
      // Heads of requests are shorter.
      proxy.up = (chunk) => (chunk.length > 4096 ? flipped(chunk) : chunk);
      await expect(store.putFile(key, await fileOf(bytes))).rejects.toEqual(failsAs('StorageUnavailable'));
      expect(await store.objects.list(key)).toEqual([]);
      expect(await leftOvers()).toEqual([]);
    });
  });

  test('a part whose connection breaks is sent again', async () => {
    proxy.up = atByte(2 * PIECE_BYTES, () => null);
    const ref = await store.putFile('t/broken-up', await fileOf(content));
    expect((await download(ref)).equals(content)).toBe(true);
  });

  test('a file that changes meanwhile does not come to be', async () => {
    const path = await fileOf(content);
    proxy.up = atByte(PIECE_BYTES, (chunk) => {
      appendFileSync(path, 'more');
      return chunk;
    });
    await expect(store.putFile('t/changing', path)).rejects.toEqual(failsAs('ArtefactDamaged'));
    expect(await store.objects.list('t/changing')).toEqual([]);
    expect(await leftOvers()).toEqual([]);
  });
});

describe('on the way down', () => {
  const content = randomBytes(5 * PIECE_BYTES - 1);
  const put = async (key: string): Promise<ArtefactRef> => store.putFile(key, await fileOf(content));

  test('a range that breaks off is asked for again', async () => {
    const ref = await put('t/broken-down');
    let cuts = 0;
    proxy.down = atByte(2.5 * PIECE_BYTES, () => {
      cuts += 1;
      return null;
    });
    expect((await download(ref)).equals(content)).toBe(true);
    expect(cuts).toBe(1);
  });

  test('a flipped byte in a middle range is ArtefactDamaged', async () => {
    const ref = await put('t/flipped-down');
    proxy.down = atByte(2.5 * PIECE_BYTES, flipped);
    await expect(download(ref)).rejects.toEqual(failsAs('ArtefactDamaged'));
  });

  test.each([
    ['shorter by ranges', content.subarray(0, 2 * PIECE_BYTES)],
    ['longer', Buffer.concat([content, content])],
    ['small', Buffer.from('abc')],
    ['empty', Buffer.alloc(0)],
  ])('an object that is %s is ArtefactDamaged', async (what, other) => {
    const ref = await put(`t/size ${what}`);
    await store.putFile(`t/size ${what}`, await fileOf(other));
    await expect(download(ref)).rejects.toEqual(failsAs('ArtefactDamaged'));
  });

  test('a place that cannot be written to is named, and the next download finds its memory free', async () => {
    const ref = await put('t/no-place');
    for (let attempt = 0; attempt < 3; attempt += 1) {
      await expect(store.download(ref, '/dev/full/copy.bin')).rejects.toEqual(failsAs('StorageUnavailable'));
    }
    expect((await download(ref)).equals(content)).toBe(true);
    expect(await readdir(store.cacheDir)).toEqual([]);
  });
});

test.each([['of ordinary words'], ["of ä, 日本, a+b c&d=e?#%25/'()*!~$@:;,"]])(
  'a key %s goes up at the first attempt, signed, and the SDK finds it; it comes down at the first attempt too',
  async (words) => {
    const [Bucket, Key, Body] = [s3.surroundings.bucket, `t/key/${words}`, Buffer.from(words)];
    const sum = Buffer.alloc(4);
    sum.writeUInt32BE(crc32(Body));
    const put = { Bucket, Key, Body, ContentType: 'text/plain', ChecksumCRC32: sum.toString('base64') };
    expect((await quickPut(client, put))?.ETag).toMatch(/^"[0-9a-f]{32}"$/);
    expect((await store.objects.read(Key))?.body).toBe(words);
    const into = Buffer.alloc(Body.length);
    expect(await quickGet(client, { Bucket, Key }, into)).toMatchObject({ statusCode: 200 });
    expect(into.toString()).toBe(words);
    const range = await quickGet(client, { Bucket, Key, Range: 'bytes=3-5' }, into);
    expect(range?.headers).toMatchObject({ 'content-range': `bytes 3-5/${Body.length}`, 'content-length': '3' });
    expect(into.subarray(0, 3)).toEqual(Body.subarray(3, 6));
    expect(await quickGet(client, { Bucket, Key: `${Key}, gone` }, into)).toBeNull();
    expect(await quickPut(client, { ...put, ChecksumCRC32: 'AAAAAA==' })).toBeNull();
    expect(await quickPut(client, { ...put, Bucket: 'no-such-bucket' })).toBeNull();
  },
);

test('an answer of unknown length comes through Node’s own client', async () => {
  const server = createServer((_, response) => {
    response.write('in ');
    response.end('chunks');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const handler = createHttpHandler({ connectMs: 1000, idleMs: 1000 });
  const { port } = server.address() as AddressInfo;
  const request = new HttpRequest({ hostname: '127.0.0.1', port, protocol: 'http:', path: '/' });
  const into = Buffer.alloc(9);
  putBodyInto(request, into);
  expect((await handler.handle(request)).response.statusCode).toBe(200);
  expect(into.toString()).toBe('in chunks');
  handler.destroy();
  server.close();
});
