import type { S3Client } from '@aws-sdk/client-s3';
import type { ArtefactRef } from '../../domain/records.ts';
import { failure } from '../failure.ts';
import { createCache, verifyContent } from './cache.ts';
import { sha256 } from './files.ts';
import { createObjects } from './objects.ts';
import type { Objects } from './objects.ts';
import { createRows } from './rows.ts';
import { placeOf, uriOf } from './storage-failure.ts';

/** Artefacts in S3 behind {@link ArtefactRef}, with a cache of this host in front. */
export type Store = ReturnType<typeof createStore>;

/**
 * Artefacts of one bucket. References into other buckets can be read, never written.
 *
 * @param options.cacheDir local folder for content by digest; may be shared by processes
 * @param options.cacheShare of its disk, default {@link usualCacheShare}
 * @throws every method: BucketMissing, CredentialsRefused, StorageUnavailable, DiskFull; readers also ArtefactDamaged
 */
export function createStore(options: { client: S3Client; bucket: string; cacheDir: string; cacheShare?: number }) {
  const { client, bucket } = options;
  const cache = createCache(options.cacheDir, options.cacheShare);
  const objects = createObjects(client, bucket);
  const objectsOf = (name: string): Objects => (name === bucket ? objects : createObjects(client, name));

  const download = (ref: ArtefactRef, path: string) => {
    const place = placeOf(ref.uri);
    return objectsOf(place.bucket).download(place.key, path, ref.bytes);
  };
  /** Local path of an artefact, downloaded once and verified; do not write to it. */
  const fetch = (ref: ArtefactRef): Promise<string> => cache.fetch(ref, (path) => download(ref, path));

  /** Writes (over) a small text object. */
  const putText = async (key: string, text: string, contentType: string): Promise<ArtefactRef> => {
    await objects.put(key, text, contentType);
    return { uri: uriOf({ bucket, key }), sha256: sha256(text), bytes: Buffer.byteLength(text), rows: 0 };
  };

  return {
    bucket,
    objects,
    cacheDir: cache.directory,
    cache,
    uriOf: (key: string): string => uriOf({ bucket, key }),
    fetch,
    putText,
    ...createRows(cache, objects, fetch),

    /** Downloads an artefact to a path of its own, verified, past the cache. @throws ArtefactDamaged */
    download: async (ref: ArtefactRef, path: string): Promise<void> => {
      verifyContent(ref, await download(ref, path));
    },

    /** Uploads a finished file; it stays where it is. */
    putFile: async (key: string, path: string, more: { rows?: number; type?: string } = {}): Promise<ArtefactRef> => {
      const written = await objects.putFile(key, path, more.type);
      return { uri: uriOf({ bucket, key }), ...written, rows: more.rows ?? 0 };
    },

    /** Writes (over) a small JSON object. */
    putJson: (key: string, value: unknown): Promise<ArtefactRef> =>
      putText(key, `${JSON.stringify(value, null, 2)}\n`, 'application/json'),

    /** Null when there is no such object; `etag` is for `objects.swap`. Check the shape: it is not checked here. */
    getJson: async (key: string): Promise<{ value: unknown; etag: string } | null> => {
      const found = await objects.read(key);
      if (found === null) return null;
      try {
        return { value: JSON.parse(found.body) as unknown, etag: found.etag };
      } catch (cause) {
        throw failure('ArtefactDamaged', `${uriOf({ bucket, key })} is not JSON; restore it or remove it`, { cause });
      }
    },
  };
}
