import type { S3Client } from '@aws-sdk/client-s3';
import { HttpRequest, extendedEncodeURIComponent } from '@smithy/core/protocols';
import { SignatureV4 } from '@smithy/signature-v4';
import { asDirect, directOf } from './http-handler.ts';

/** Of a PutObject, with its condition, or, with the last two, of an UploadPart. */
export type QuickPut = {
  Bucket: string;
  Key: string;
  Body: Uint8Array;
  ChecksumCRC32: string;
  ContentType?: string;
  IfNoneMatch?: string;
  IfMatch?: string;
  UploadId?: string | undefined;
  PartNumber?: number;
};

const NO_ANSWER = new Uint8Array(0);

/**
 * The first attempt at an upload over plain HTTP to an endpoint that was named: signed, and past the SDK's stack of middleware, which takes as
 * much CPU a request as the SHA-256 of a MiB.
 *
 * @returns ETag; null when it did not succeed or cannot be tried here: the SDK is to ask, which repeats and has words for errors
 */
export async function quickPut(client: S3Client, put: QuickPut): Promise<string | null> {
  const { config } = client;
  const direct = directOf(config.requestHandler);
  const { protocol, hostname, port = 80, path } = (await config.endpoint?.()) ?? {};
  if (!direct || protocol !== 'http:' || hostname === undefined || path !== '/' || !config.forcePathStyle) return null;
  const request = new HttpRequest({
    method: 'PUT',
    hostname,
    port,
    path: `/${[put.Bucket, ...put.Key.split('/')].map(extendedEncodeURIComponent).join('/')}`,
    query: put.PartNumber === undefined ? {} : { partNumber: String(put.PartNumber), uploadId: put.UploadId ?? '' },
    headers: {
      host: `${hostname}:${port}`,
      'content-length': String(put.Body.length),
      ...(put.ContentType !== undefined && { 'content-type': put.ContentType }),
      ...(put.IfNoneMatch !== undefined && { 'if-none-match': put.IfNoneMatch }),
      ...(put.IfMatch !== undefined && { 'if-match': put.IfMatch }),
      'x-amz-checksum-crc32': put.ChecksumCRC32,
      'x-amz-content-sha256': 'UNSIGNED-PAYLOAD',
    },
  });
  const { credentials, region, sha256, systemClockOffset } = config;
  const signer = new SignatureV4({ service: 's3', credentials, region, sha256, uriEscapePath: false });
  const signingDate = new Date(Date.now() + systemClockOffset);
  try {
    const signed = await signer.sign(request, { signingDate });
    const answer = await direct.ask({ ...asDirect(signed), body: put.Body }, NO_ANSWER);
    return answer?.headers['etag'] ?? null;
  } catch {
    return null;
  }
}

/** A CRC32 as S3 writes it. */
export function checksumOf(crc32: number): string {
  const sum = Buffer.alloc(4);
  sum.writeUInt32BE(crc32);
  return sum.toString('base64');
}
