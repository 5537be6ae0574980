import { ListMultipartUploadsCommand, ListObjectsV2Command } from '@aws-sdk/client-s3';
import type { ListObjectsV2CommandOutput, MultipartUpload, S3Client, _Object } from '@aws-sdk/client-s3';
import { failure } from '../failure.ts';
import { uriOf } from './storage-failure.ts';

/**
 * A server whose listing says that it goes on, and does not, would be asked for ever, or its listing be taken for whole.
 *
 * @throws StorageUnsuitable
 */
function checkGoesOn(
  what: string,
  bucket: string,
  key: string,
  from: string | undefined,
  next: string | undefined,
): void {
  if (next !== undefined && next !== '' && next !== from) return;
  throw failure(
    'StorageUnsuitable',
    `listing ${what}${uriOf({ bucket, key })}: the server says that there is more, and not where it goes on; set AWS_ENDPOINT_URL_S3 to a server with ListObjectsV2`,
  );
}

/** Objects below a prefix, in S3's own order. */
export async function* objectsBelow(client: S3Client, Bucket: string, Prefix: string): AsyncGenerator<_Object> {
  let [from, last]: (string | undefined)[] = [];
  for (;;) {
    const page: ListObjectsV2CommandOutput = await client.send(
      new ListObjectsV2Command({ Bucket, Prefix, ...(from !== undefined && { ContinuationToken: from }) }),
    );
    yield* page.Contents ?? [];
    if (page.IsTruncated !== true) return;
    checkGoesOn('', Bucket, Prefix, from, page.NextContinuationToken);
    // One that knows no tokens begins anew each time, with tokens of any kind.
    const newest = page.Contents?.at(-1)?.Key;
    if (newest !== undefined) checkGoesOn('', Bucket, Prefix, last, newest);
    last = newest ?? last;
    from = page.NextContinuationToken;
  }
}

/** Uploads in parts that were begun and not ended. The SDK has no paginator for them. */
export async function* uploadsBelow(client: S3Client, Bucket: string, Prefix: string): AsyncGenerator<MultipartUpload> {
  let from: { KeyMarker?: string | undefined; UploadIdMarker?: string | undefined } = {};
  for (;;) {
    const page = await client.send(new ListMultipartUploadsCommand({ Bucket, Prefix, ...from }));
    yield* page.Uploads ?? [];
    if (page.IsTruncated !== true) return;
    const next = { KeyMarker: page.NextKeyMarker, UploadIdMarker: page.NextUploadIdMarker };
    const marker = next.KeyMarker && `${next.KeyMarker} ${next.UploadIdMarker ?? ''}`;
    checkGoesOn('uploads to ', Bucket, Prefix, `${from.KeyMarker ?? ''} ${from.UploadIdMarker ?? ''}`, marker);
    from = next;
  }
}
