import { setTimeout as delay } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import { PutObjectCommand } from '@aws-sdk/client-s3';
import type { S3Client } from '@aws-sdk/client-s3';
import { checkedAsTaken } from './checksums.ts';
import { checksumOf, quickPut } from './quick-requests.ts';
import { etagOf, isBusy, isConflict, isMissing, oddAnswer, storageFailure, uriOf } from './storage-failure.ts';
import type { Place } from './storage-failure.ts';

/** A small object with the ETag that a later `swap` must present. */
export type Versioned = { body: string; etag: string };

type Condition = { IfNoneMatch: '*' } | { IfMatch: string };

/** So many conditional writes are tried, with pauses that grow to 1 s: some 6 s, so that many writers get their turns. */
const MOST_TRIES = 16;
const PAUSE_MS = { first: 20, longest: 1_000 };

/**
 * Tries a conditional write until it is done, a few times. Pauses are random: writers who met would meet again.
 *
 * @param attempt null = the server refused, and it is worth trying again
 * @param refused what the server does, for the failure
 * @throws StorageUnavailable when it never is
 */
export async function untilWritten<Result>(
  place: Place,
  refused: string,
  attempt: () => Promise<Result | null>,
): Promise<Result> {
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    const result = await attempt();
    if (result !== null) return result;
    await delay(Math.random() * Math.min(PAUSE_MS.longest, PAUSE_MS.first * 2 ** tries));
  }
  throw oddAnswer(
    `writing ${uriOf(place)}: ${refused}, ${MOST_TRIES} times in a row; see by \`ratchet doctor\` whether the server can be used`,
  );
}

/** Null when the object's state is not the one asked for. */
async function putOnce(client: S3Client, place: Place, body: string, condition: Condition): Promise<string | null> {
  const input = { Bucket: place.bucket, Key: place.key, ContentType: 'application/json', ...condition };
  const Body = Buffer.from(body);
  try {
    return await checkedAsTaken(client, 'whole', async (checksum) => {
      const put = { ...input, Body, ChecksumCRC32: checksum === 'none' ? undefined : checksumOf(crc32(Body)) };
      const taken = (await quickPut(client, put)) ?? (await client.send(new PutObjectCommand(put)));
      return etagOf(taken, 'writing', input);
    });
  } catch (error) {
    // S3 answers 404 to If-Match on an object that is not there.
    if (isConflict(error) || ('IfMatch' in condition && isMissing(error))) return null;
    throw error;
  }
}

/** One whose writes something else is in the way of at this moment (409) is tried again. */
async function put(client: S3Client, place: Place, body: string, condition: Condition): Promise<string | null> {
  const busy = 'the server answered 409, that something else changes the object at this moment';
  const { etag } = await untilWritten(place, busy, async () => {
    try {
      return { etag: await putOnce(client, place, body, condition) };
    } catch (error) {
      if (isBusy(error)) return null;
      throw storageFailure(error, 'writing', place);
    }
  });
  return etag;
}

/** Writes that depend on what is there, with the failures of {@link storageFailure}. */
export function conditional(client: S3Client, bucket: string, read: (key: string) => Promise<Versioned | null>) {
  /**
   * Compare-and-swap: writes only over the version with this ETag; null = only where there is none.
   *
   * @returns the new ETag, null when another version is there (possibly one's own, after a lost answer)
   */
  const swap = (key: string, body: string, etag: string | null): Promise<string | null> =>
    put(client, { bucket, key }, body, etag === null ? { IfNoneMatch: '*' } : { IfMatch: etag });

  return {
    swap,

    /**
     * Writes the object unless there is one. A lost answer makes the SDK ask again and meet its own first write, so
     * equal content counts as written.
     *
     * @returns false when another content is there
     * @throws StorageUnavailable also when the server refuses it although there is none
     */
    putIfAbsent: (key: string, body: string): Promise<boolean> =>
      untilWritten({ bucket, key }, 'refused as if there were an object, and none was there when read', async () => {
        if ((await swap(key, body, null)) !== null) return true;
        const found = await read(key);
        return found && found.body === body;
      }),

    /**
     * Changes a small object by compare-and-swap, again over whatever others made of it meanwhile.
     *
     * @param change gives the new body, from the old one or null; must bear being repeated
     * @returns the body that was written
     * @throws StorageUnavailable when that never succeeds
     */
    change: (key: string, change: (found: string | null) => string): Promise<string> =>
      untilWritten({ bucket, key }, 'every version that was read had changed before it could be written', async () => {
        const found = await read(key);
        const body = change(found?.body ?? null);
        return (await swap(key, body, found?.etag ?? null)) === null ? null : body;
      }),
  };
}
