import { crc32 } from 'node:zlib';
import { DeleteObjectsCommand, GetObjectCommand, PutObjectCommand, paginateListObjectsV2 } from '@aws-sdk/client-s3';
import type { S3Client } from '@aws-sdk/client-s3';
import { downloadFile } from './download.ts';
import { housekeeping } from './housekeeping.ts';
import type { Written } from './files.ts';
import { isConflict, isMissing, storageFailure } from './storage-failure.ts';
import { checksumOf, quickPut } from './quick-requests.ts';
import { uploadFile } from './upload.ts';

/** A small object with the ETag that a later `swap` must present. */
export type Versioned = { body: string; etag: string };

/** Objects of one bucket. Every method throws the failures of {@link storageFailure}. */
export type Objects = ReturnType<typeof createObjects>;

/** @param client its own retries are the only ones */
export const createObjects = (client: S3Client, bucket: string) => ({
  bucket,
  ...reading(client, bucket),
  ...writing(client, bucket),
  ...conditional(client, bucket),
  ...housekeeping(client, bucket),
});

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
          const input = { Bucket: bucket, Key: key, ChecksumMode: 'ENABLED' } as const;
          const { Body, ETag } = await client.send(new GetObjectCommand(input));
          return { body: (await Body?.transformToString()) ?? '', etag: ETag ?? '' };
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
        for await (const page of paginateListObjectsV2({ client }, { Bucket: bucket, Prefix: prefix })) {
          for (const { Key } of page.Contents ?? []) if (Key !== undefined) keys.push(Key);
        }
        return keys;
      }),
  };
}

function writing(client: S3Client, bucket: string) {
  const attempt = named(bucket);
  return {
    put: (key: string, body: string, contentType: string): Promise<void> =>
      attempt('writing', key, async () => {
        await client.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: body, ContentType: contentType }));
      }),

    /** Sends a file up; memory is bounded by a few pieces, whatever its size. @returns what lies there now */
    putFile: (key: string, path: string, contentType = 'application/octet-stream'): Promise<Written> =>
      attempt('uploading', key, () => uploadFile(client, { Bucket: bucket, Key: key, ContentType: contentType }, path)),

    remove: (keys: readonly string[]): Promise<void> =>
      attempt('deleting', keys[0] ?? '', async () => {
        for (let start = 0; start < keys.length; start += 1000) {
          const Objects = keys.slice(start, start + 1000).map((Key) => ({ Key }));
          await client.send(new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects, Quiet: true } }));
        }
      }),
  };
}

function conditional(client: S3Client, bucket: string) {
  const attempt = named(bucket);
  const { read } = reading(client, bucket);

  /** Null when the object's state is not the one asked for. */
  const put = (key: string, body: string, condition: { IfNoneMatch: '*' } | { IfMatch: string }) =>
    attempt('writing', key, async () => {
      const input = { Bucket: bucket, Key: key, ContentType: 'application/json', ...condition };
      const bytes = Buffer.from(body);
      const quick = await quickPut(client, { ...input, Body: bytes, ChecksumCRC32: checksumOf(crc32(bytes)) });
      if (quick !== null) return quick;
      try {
        return (await client.send(new PutObjectCommand({ ...input, Body: body }))).ETag ?? '';
      } catch (error) {
        // S3 answers 404 to If-Match on an object that is not there.
        if (isConflict(error) || ('IfMatch' in condition && isMissing(error))) return null;
        throw error;
      }
    });

  return {
    /**
     * Writes the object unless there is one. A lost answer makes the SDK ask again and meet its own first write, so
     * equal content counts as written.
     *
     * @returns false when another content is there
     */
    putIfAbsent: async (key: string, body: string): Promise<boolean> =>
      (await put(key, body, { IfNoneMatch: '*' })) !== null || (await read(key))?.body === body,

    /**
     * Compare-and-swap: writes only over the version with this ETag; null = only where there is none.
     *
     * @returns the new ETag, null when another version is there (possibly one's own, after a lost answer)
     */
    swap: (key: string, body: string, etag: string | null): Promise<string | null> =>
      put(key, body, etag === null ? { IfNoneMatch: '*' } : { IfMatch: etag }),
  };
}
