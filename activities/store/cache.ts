import { chmod, mkdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { failure } from '../failure.ts';
import type { ArtefactRef } from '../../domain/records.ts';
import { temporaryName } from './files.ts';
import type { Written } from './files.ts';
import { placeOf, storageFailure } from './storage-failure.ts';

/** Files of this host by content. What lies under its final name is whole and was verified when it was put there. */
export type Cache = ReturnType<typeof createCache>;

/** @param directory may be shared by processes, and deleted at any time when none of them runs */
export function createCache(directory: string) {
  const pathOf = (sha256: string): string => join(directory, 'objects', sha256.slice(0, 2), sha256);

  const adopt = async (temporary: string, sha256: string): Promise<string> => {
    const path = pathOf(sha256);
    await mkdir(join(path, '..'), { recursive: true });
    // Read-only: many readers share the file.
    await chmod(temporary, 0o444);
    await rename(temporary, path);
    return path;
  };

  return {
    directory,

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
      const found = await stat(path).catch(() => null);
      if (found?.size === ref.bytes) return path;
      const temporary = temporaryName(path);
      try {
        await mkdir(join(path, '..'), { recursive: true });
        verifyContent(ref, await download(temporary));
        return await adopt(temporary, ref.sha256);
      } catch (error) {
        await rm(temporary, { force: true });
        throw storageFailure(error, 'caching', placeOf(ref.uri));
      }
    },
  };
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
