import { chmod, mkdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { failure, failureType } from '../failure.ts';
import type { ArtefactRef } from '../../domain/records.ts';
import { createRoom, usualCacheShare } from './cache-room.ts';
import { markInUse, release } from './cache-use.ts';
import { temporaryName } from './files.ts';
import type { Written } from './files.ts';
import { isDiskFull, placeOf, storageFailure } from './storage-failure.ts';

/** Files of this host by content. What lies under its final name is whole and was verified when it was put there. */
export type Cache = ReturnType<typeof createCache>;

/**
 * What lies in a cache is not hashed again: it is trusted by name and size, as the programs on its disk are.
 *
 * @param directory may be shared by processes, and deleted at any time when none of them runs
 * @param share see {@link createRoom}
 */
export function createCache(directory: string, share = usualCacheShare) {
  const room = createRoom(directory, share);
  const pathOf = (sha256: string): string => join(directory, 'objects', sha256.slice(0, 2), sha256);

  const adopt = async (temporary: string, sha256: string): Promise<string> => {
    const path = pathOf(sha256);
    await mkdir(join(path, '..'), { recursive: true });
    // Read-only: many readers share the file.
    await chmod(temporary, 0o444);
    const { size } = await stat(temporary);
    await rename(temporary, path);
    await room.added(size);
    return path;
  };

  /**
   * An entry of the cache, marked as in use and as used now; made where it is not there.
   *
   * @param fits whether what is there may be taken
   */
  const take = async (
    digest: string,
    path: string,
    fits: (bytes: number) => boolean,
    make: () => Promise<unknown>,
  ): Promise<string> => {
    const mark = await markInUse(directory, digest);
    const found = await stat(path).catch(() => null);
    if (found !== null && fits(found.size)) {
      const now = new Date();
      // Whoever shares a cache of another user's may read it all the same.
      await utimes(path, now, now).catch(() => undefined);
      return path;
    }
    try {
      await withRoom(room, make);
      return path;
    } catch (error) {
      await release(mark);
      throw error;
    }
  };

  return {
    directory,
    room,
    take,

    /** A new name in the cache's file system, for writing something that is adopted later. */
    scratch: async (): Promise<string> => {
      const folder = join(directory, 'partial');
      await mkdir(folder, { recursive: true });
      return temporaryName(join(folder, 'file'));
    },

    adopt,

    /**
     * Path of an artefact's content, downloaded and verified unless it is here already.
     *
     * @param download writes the content to the path that it is given; null = there is no such object
     * @throws ArtefactDamaged when it is missing or hashes to something else
     */
    fetch: async (ref: ArtefactRef, download: (path: string) => Promise<Written | null>): Promise<string> => {
      const path = pathOf(ref.sha256);
      const fetchOnce = async (): Promise<void> => {
        const temporary = temporaryName(path);
        try {
          await mkdir(join(path, '..'), { recursive: true });
          verifyContent(ref, await download(temporary));
          await adopt(temporary, ref.sha256);
        } catch (error) {
          await rm(temporary, { force: true });
          throw storageFailure(error, 'caching', placeOf(ref.uri));
        }
      };
      return await take(ref.sha256, path, (bytes) => bytes === ref.bytes, fetchOnce);
    },
  };
}

/** On a full disk all that nobody uses goes, and the work is done once more. */
async function withRoom(room: ReturnType<typeof createRoom>, work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!isDiskFull(error) && failureType(error) !== 'DiskFull') throw error;
    if ((await room.clear()) === 0) throw error;
    await work();
  }
}

/** @throws ArtefactDamaged when what was downloaded is not what the reference says (null = not there) */
export function verifyContent(ref: ArtefactRef, written: Written | null): void {
  const fix = 'restore it from a backup of the bucket, or run the phase that made it again';
  if (written === null) throw failure('ArtefactDamaged', `${ref.uri} is gone; ${fix}`);
  if (written.sha256 === ref.sha256 && written.bytes === ref.bytes) return;
  const found = `${written.bytes} bytes with sha256 ${written.sha256}`;
  throw failure(
    'ArtefactDamaged',
    `${ref.uri} holds ${found}, expected ${ref.bytes} bytes with sha256 ${ref.sha256}; ${fix}`,
  );
}
