import { crc32 } from 'node:zlib';
import { GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import type { S3Client } from '@aws-sdk/client-s3';
import { checkServer } from './check-server.ts';
import type { ServerFound } from './check-server.ts';
import { checkedAsTaken } from './checksums.ts';
import { conditional } from './conditional.ts';
import type { Versioned } from './conditional.ts';
import { downloadFile } from './download.ts';
import { housekeeping } from './housekeeping.ts';
import type { Written } from './files.ts';
import { objectsBelow } from './listing.ts';
import { checksumOf, quickPut } from './quick-requests.ts';
import { removeAll } from './remove.ts';
import { etagOf, isMissing, storageFailure } from './storage-failure.ts';
import { uploadFile } from './upload.ts';

/** Objects of one bucket. Every method throws the failures of {@link storageFailure}. */
export type Objects = ReturnType<typeof createObjects>;

/** @param client its own retries are the only ones */
export function createObjects(client: S3Client, bucket: string) {
  const reads = reading(client, bucket);
  const rules = { ...reads, ...writing(client, bucket), ...conditional(client, bucket, reads.read) };
  return {
    bucket,
    ...rules,
    ...housekeeping(client, bucket),

    /** Tries the server, as {@link checkServer} does. @param prefix of the two small objects for it */
    checkServer: (prefix: string): Promise<ServerFound> => checkServer(client, bucket, rules, prefix),
  };
}

const named =
  (bucket: string) =>
  async <T>(doing: string, key: string, work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw storageFailure(error, doing, { bucket, key });
    }
  };

const nullIfMissing = async <T>(work: () => Promise<T>): Promise<T | null> => {
  try {
    return await work();
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
};

function reading(client: S3Client, bucket: string) {
  const attempt = named(bucket);
  return {
    /** A small object; null when there is none. */
    read: (key: string): Promise<Versioned | null> =>
      attempt('reading', key, () =>
        nullIfMissing(async () => {
          const input = { Bucket: bucket, Key: key };
          const answer = await checkedAsTaken(client, 'whole', (checksum) =>
            client.send(new GetObjectCommand({ ...input, ...(checksum === 'CRC32' && { ChecksumMode: 'ENABLED' }) })),
          );
          const body = (await answer.Body?.transformToString()) ?? '';
          return { body, etag: etagOf(answer, 'reading', input) };
        }),
      ),

    /**
     * Downloads the object into a new file; null when there is no such object.
     *
     * @param expected size in bytes, where it is known
     */
    download: (key: string, path: string, expected?: number): Promise<Written | null> =>
      attempt('downloading', key, () =>
        nullIfMissing(() => downloadFile(client, { Bucket: bucket, Key: key }, path, expected)),
      ),

    /** Keys under a prefix, in S3's own (lexicographic) order: sort numbers yourself. */
    list: (prefix: string): Promise<string[]> =>
      attempt('listing', prefix, async () => {
        const keys: string[] = [];
        for await (const { Key } of objectsBelow(client, bucket, prefix)) if (Key !== undefined) keys.push(Key);
        return keys;
      }),
  };
}

function writing(client: S3Client, bucket: string) {
  const attempt = named(bucket);
  return {
    put: (key: string, text: string, contentType: string): Promise<void> =>
      attempt('writing', key, async () => {
        const input = { Bucket: bucket, Key: key, Body: Buffer.from(text), ContentType: contentType };
        await checkedAsTaken(client, 'whole', async (checksum) => {
          const put = { ...input, ChecksumCRC32: checksum === 'none' ? undefined : checksumOf(crc32(input.Body)) };
          etagOf((await quickPut(client, put)) ?? (await client.send(new PutObjectCommand(put))), 'writing', input);
        });
      }),

    /** Sends a file up; memory is bounded by a few pieces, whatever its size. @returns what lies there now */
    putFile: (key: string, path: string, contentType = 'application/octet-stream'): Promise<Written> =>
      attempt('uploading', key, () => uploadFile(client, { Bucket: bucket, Key: key, ContentType: contentType }, path)),

    /** Of keys that are not there too. */
    remove: (keys: readonly string[]): Promise<void> =>
      attempt('deleting', keys[0] ?? '', () => removeAll(client, bucket, keys)),
  };
}
