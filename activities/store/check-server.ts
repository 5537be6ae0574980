import { randomUUID } from 'node:crypto';
import { crc32 } from 'node:zlib';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import type { S3Client } from '@aws-sdk/client-s3';
import type { ApplicationFailure } from '@temporalio/common';
import { failure, failureType } from '../failure.ts';
import { checkedAsTaken, checksumWords, isRefusal } from './checksums.ts';
import type { Objects } from './objects.ts';
import { checksumOf } from './quick-requests.ts';
import { etagOf, isOddAnswer, storageFailure, uriOf, workingServers } from './storage-failure.ts';

/** An ETag that no content has: S3 forms them as the MD5 of the content. */
const WRONG_ETAG = '"00000000000000000000000000000000"';

type Rules = Pick<Objects, 'swap' | 'read' | 'list' | 'remove'>;

/** What {@link checkServer} found, for people. */
export type ServerFound = { checksums: string };

/**
 * Tries whether a server does what ratchet rests on: writes that depend on what is there, ETags, uploads in parts, a listing.
 * Some twelve requests about two small objects, which are gone afterwards.
 *
 * @param prefix of their keys for that time
 * @throws StorageUnsuitable that says what the server does; the failures of {@link storageFailure}
 */
export async function checkServer(
  client: S3Client,
  bucket: string,
  rules: Rules,
  prefix: string,
): Promise<ServerFound> {
  const id = `-${randomUUID()}`;
  const key = `${prefix}${id}`;
  const place = { bucket, key };
  const unsuitable = (does: string): ApplicationFailure =>
    failure('StorageUnsuitable', `writing ${uriOf(place)}: the server ${does}; ${workingServers}`);
  try {
    await checkConditions(rules, key, unsuitable);
    await checkParts(client, { Bucket: bucket, Key: `${key}-parts` });
    await rules.list(prefix);
    await rules.remove([key, `${key}-parts`]);
  } catch (error) {
    await rules.remove([key, `${key}-parts`]).catch(() => undefined);
    const found = await withHint(client, bucket, asFound(error, unsuitable));
    // Names that are gone help nobody.
    throw failure(failureType(found) ?? 'StorageUnavailable', found.message.replaceAll(id, ''), { cause: found });
  }
  return { checksums: checksumWords(client) };
}

type Unsuitable = (does: string) => ApplicationFailure;

/** What may pass while a run is under way is how the server is, when nothing else is done with it. */
function asFound(error: unknown, unsuitable: Unsuitable): ApplicationFailure {
  const known = storageFailure(error, 'checking', { bucket: '', key: '' });
  if (failureType(known) !== 'StorageUnavailable') return known;
  if (isOddAnswer(known)) return failure('StorageUnsuitable', known.message, { cause: known });
  if (!isRefusal(known.cause)) return known;
  const { name, message } = known.cause as Error;
  return unsuitable(`refuses a write with a condition (${name}: ${message})`);
}

/** Where the bucket is in the server's address, it is asked for twice. */
async function withHint(client: S3Client, bucket: string, error: ApplicationFailure): Promise<ApplicationFailure> {
  const { hostname = '', path = '' } = (await client.config.endpoint?.()) ?? {};
  const isNamed = hostname.startsWith(`${bucket}.`) || path.split('/').includes(bucket);
  const type = failureType(error);
  if (!isNamed || type === undefined) return error;
  const hint = `AWS_ENDPOINT_URL_S3 names the bucket ${bucket} too; write it there without the bucket`;
  return failure(type, `${error.message.split('; ')[0] ?? ''}; ${hint}`, { cause: error });
}

async function checkConditions({ swap, read }: Rules, key: string, unsuitable: Unsuitable): Promise<void> {
  const first = await swap(key, 'first', null);
  if (first === null) throw unsuitable('refuses If-None-Match: * although there is no such object');
  if ((await swap(key, 'wrong', null)) !== null)
    throw unsuitable(
      'ignores If-None-Match: *, and wrote over an object that was there, so two workers could overwrite each other',
    );
  if ((await swap(key, 'wrong', WRONG_ETAG)) !== null)
    throw unsuitable(
      'ignores If-Match, and wrote over another version than the one named, so an overtaken worker could go on',
    );
  const second = await swap(key, 'second', first);
  if (second === null) throw unsuitable('refuses If-Match with the ETag that it answered to the write before');
  const found = await read(key);
  if (found === null) throw unsuitable('does not have an object that it has just taken');
  if (found.body !== 'second') throw unsuitable('gives back another content than the one that was written');
  if ((await swap(key, 'third', found.etag)) === null)
    throw unsuitable(
      `gives an object the ETag ${found.etag} that it refuses in If-Match (it answered ${second} to the write)`,
    );
}

/** One part may be of any size, so this shows which checksum of an upload in parts the server takes. */
async function checkParts(client: S3Client, place: { Bucket: string; Key: string }): Promise<void> {
  const Body = Buffer.from('ratchet');
  const CRC32 = checksumOf(crc32(Body));
  const send = async (checksum: 'FULL_OBJECT' | 'COMPOSITE' | 'none'): Promise<void> => {
    const checksums = checksum === 'none' ? {} : ({ ChecksumAlgorithm: 'CRC32', ChecksumType: checksum } as const);
    const part = { PartNumber: 1, ...(checksum !== 'none' && { ChecksumCRC32: CRC32 }) };
    const { UploadId } = await client.send(new CreateMultipartUploadCommand({ ...place, ...checksums }));
    const upload = { ...place, UploadId };
    try {
      const taken = await client.send(new UploadPartCommand({ ...upload, ...part, Body }));
      const Parts = [{ ...part, ETag: etagOf(taken, 'uploading', place) }];
      await client.send(new CompleteMultipartUploadCommand({ ...upload, MultipartUpload: { Parts } }));
    } catch (error) {
      await client.send(new AbortMultipartUploadCommand(upload)).catch(() => undefined);
      throw error;
    }
  };
  try {
    await checkedAsTaken(client, 'parts', send);
  } catch (error) {
    const at = { bucket: place.Bucket, key: place.Key };
    if (!isRefusal(error)) throw storageFailure(error, 'uploading', at);
    const { name, message } = error as Error;
    const needed = 'takes no uploads in parts, which files over 16 MiB need';
    const text = `uploading ${uriOf(at)}: the server ${needed} (${name}: ${message}); ${workingServers}`;
    throw failure('StorageUnsuitable', text, { cause: error });
  }
}
