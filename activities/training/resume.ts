import { mkdir, readdir, rename } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { newestWhole } from '../checkpoints/checkpoints.ts';
import type { Resumable } from '../checkpoints/checkpoints.ts';
import type { Lease } from '../checkpoints/lease.ts';
import type { Log } from '../logging.ts';
import { sha256 } from '../store/files.ts';
import { describeFolder, manifestText } from '../store/folders.ts';
import type { Store } from '../store/store.ts';

/** Folders of an attempt on this host; each epoch has its own, so a worker that wakes up late writes into nobody's. */
export const attemptFolder = (trainingFolder: string, epoch: number): string =>
  join(trainingFolder, `epoch-${String(epoch).padStart(4, '0')}`);
export const checkpointsIn = (folder: string): string => join(folder, 'checkpoints');
export const outputsIn = (folder: string): string => join(folder, 'out');
export const adapterIn = (folder: string): string => join(outputsIn(folder), 'adapter');

/**
 * The newest checkpoint to go on from: one that an earlier attempt left whole on this host, where it is at least as new
 * as the newest in S3 (then nothing is downloaded, and after an outage of S3 nothing is lost), else the newest whole one
 * in S3.
 *
 * @param trainingFolder of all attempts on this host
 * @returns null: start from the beginning. `local` = it is not in S3 yet
 */
export async function findResumable(
  store: Store,
  lease: Lease,
  trainingFolder: string,
  log: Log,
): Promise<(Resumable & { local: boolean }) | null> {
  const own = checkpointsIn(attemptFolder(trainingFolder, lease.epoch));
  await mkdir(own, { recursive: true });
  const newest = lease.record().checkpoints.at(-1);
  const local = await newestOnHost(trainingFolder);
  if (local !== null && local.step >= (newest?.step ?? 0)) {
    const isCommitted = local.step === newest?.step;
    if (!isCommitted || sha256(manifestText(await describeFolder(local.directory))) === newest.manifest.sha256) {
      const directory = join(own, basename(local.directory));
      // Moved, not shared: the attempt that wrote it may not be as dead as it seems.
      if (directory !== local.directory) await rename(local.directory, directory);
      return { step: local.step, directory, local: !isCommitted };
    }
  }
  const found = await newestWhole(store, lease, own, log);
  return found && { ...found, local: false };
}

/** Whole checkpoints have their final name; the trainer renames them into place after fsync. */
async function newestOnHost(trainingFolder: string): Promise<Resumable | null> {
  let newest: Resumable | null = null;
  for (const epoch of await namesIn(trainingFolder)) {
    const folder = checkpointsIn(join(trainingFolder, epoch));
    for (const name of await namesIn(folder)) {
      const step = Number(/^step-(\d+)$/.exec(name)?.[1] ?? NaN);
      if (step > (newest?.step ?? 0)) newest = { step, directory: join(folder, name) };
    }
  }
  return newest;
}

const namesIn = (folder: string): Promise<string[]> => readdir(folder).catch(() => []);
