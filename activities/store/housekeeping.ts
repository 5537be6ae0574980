import { AbortMultipartUploadCommand, ListMultipartUploadsCommand, paginateListObjectsV2 } from '@aws-sdk/client-s3';
import type { ListMultipartUploadsCommandOutput, S3Client } from '@aws-sdk/client-s3';
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
      for await (const page of paginateListObjectsV2({ client }, { Bucket: bucket, Prefix: prefix })) {
        for (const { Key, Size, LastModified } of page.Contents ?? [])
          if (Key !== undefined) found.push({ key: Key, bytes: Size ?? 0, modified: LastModified?.getTime() ?? 0 });
      }
      return found;
    } catch (error) {
      throw storageFailure(error, 'listing', { bucket, key: prefix });
    }
  },

  openUploads: async (prefix: string): Promise<OpenUpload[]> => {
    const found: OpenUpload[] = [];
    // The SDK has no paginator for this one.
    let from: { KeyMarker?: string | undefined; UploadIdMarker?: string | undefined } | null = {};
    try {
      while (from !== null) {
        const page: ListMultipartUploadsCommandOutput = await client.send(
          new ListMultipartUploadsCommand({ Bucket: bucket, Prefix: prefix, ...from }),
        );
        for (const { Key, UploadId, Initiated } of page.Uploads ?? [])
          if (Key !== undefined && UploadId !== undefined)
            found.push({ key: Key, id: UploadId, begun: Initiated?.getTime() ?? Infinity });
        const { NextKeyMarker: KeyMarker, NextUploadIdMarker: UploadIdMarker } = page;
        from = page.IsTruncated === true ? { KeyMarker, UploadIdMarker } : null;
      }
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
