import { AbortMultipartUploadCommand } from '@aws-sdk/client-s3';
import type { S3Client } from '@aws-sdk/client-s3';
import { objectsBelow, uploadsBelow } from './listing.ts';
import { isMissingUpload, storageFailure } from './storage-failure.ts';

/** An object as a listing tells it; `modified` in Unix milliseconds. */
export type Entry = { key: string; bytes: number; modified: number };

/** A multipart upload that was begun and neither completed nor aborted; its parts take space that no listing shows. */
export type OpenUpload = { key: string; id: string; begun: number };

/** What a sweep needs of the objects of a bucket, beside reading and removing. */
export const housekeeping = (client: S3Client, bucket: string) => ({
  entries: async (prefix: string): Promise<Entry[]> => {
    const found: Entry[] = [];
    try {
      for await (const { Key, Size, LastModified } of objectsBelow(client, bucket, prefix))
        if (Key !== undefined) found.push({ key: Key, bytes: Size ?? 0, modified: LastModified?.getTime() ?? 0 });
      return found;
    } catch (error) {
      throw storageFailure(error, 'listing', { bucket, key: prefix });
    }
  },

  openUploads: async (prefix: string): Promise<OpenUpload[]> => {
    const found: OpenUpload[] = [];
    try {
      for await (const { Key, UploadId, Initiated } of uploadsBelow(client, bucket, prefix))
        if (Key !== undefined && UploadId !== undefined)
          found.push({ key: Key, id: UploadId, begun: Initiated?.getTime() ?? Infinity });
      return found;
    } catch (error) {
      throw storageFailure(error, 'listing uploads to', { bucket, key: prefix });
    }
  },

  /** One that was completed or aborted meanwhile is gone, which is what was wanted. */
  abortUpload: async ({ key, id }: Pick<OpenUpload, 'key' | 'id'>): Promise<void> => {
    try {
      await client.send(new AbortMultipartUploadCommand({ Bucket: bucket, Key: key, UploadId: id }));
    } catch (error) {
      if (!isMissingUpload(error)) throw storageFailure(error, 'aborting the upload of', { bucket, key });
    }
  },
});
