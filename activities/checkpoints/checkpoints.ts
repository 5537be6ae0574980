import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { failureType } from '../failure.ts';
import type { Log } from '../logging.ts';
import { MANIFEST, getFolder, putFolder } from '../store/folders.ts';
import type { Store } from '../store/store.ts';
import type { Checkpoint, Lease, LeaseRecord } from './lease.ts';
import { removeParts } from './metrics-parts.ts';
import type { MetricsSegment } from './metrics-parts.ts';

/** Keys of an attempt's checkpoint. The epoch is part of it, so no two attempts ever write to the same place. */
export const checkpointPrefix = (prefix: string, epoch: number, step: number): string =>
  `${prefix}/epoch-${String(epoch).padStart(4, '0')}/step-${String(step).padStart(6, '0')}`;

/** Numeric order: step-000010 after step-000009, and step-1000000 after both. Among equals the later epoch is newer. */
const byStep = (a: Checkpoint, b: Checkpoint): number => a.step - b.step || a.epoch - b.epoch;

const withCheckpoint = (record: LeaseRecord, added: Checkpoint, keep: number): LeaseRecord => {
  const others = record.checkpoints.filter((other) => !same(other, added));
  return { ...record, checkpoints: keepers([...others, added].sort(byStep), keep) };
};

/** The last `keep`, and the best before them: the first one after the lowest held-out loss was measured. */
function keepers(checkpoints: readonly Checkpoint[], keep: number): Checkpoint[] {
  const lowest = Math.min(...checkpoints.map(({ evalLoss }) => evalLoss ?? Infinity));
  const best = checkpoints.findIndex(({ evalLoss }) => evalLoss === lowest);
  return checkpoints.filter((_, index) => index === best || index >= checkpoints.length - keep);
}

/**
 * Uploads a whole checkpoint and makes it count, in this order: files, lease check, manifest by conditional put, the
 * lease's record by compare-and-swap. Until the last of these nothing has happened for any reader; a worker whose lease
 * was taken meanwhile cannot do it, however long it slept and wherever (docs/checkpoints.md).
 *
 * @param checkpoint.directory stays as it is
 * @param checkpoint.metrics whose parts are in S3 already
 * @param options.keep newest checkpoints that stay, beside the best; older ones are removed after they have ceased to count
 * @throws LeaseLost
 */
export async function commitCheckpoint(
  store: Store,
  lease: Lease,
  checkpoint: { step: number; directory: string; evalLoss?: number | null; metrics?: MetricsSegment[] },
  options: { keep: number },
): Promise<Checkpoint> {
  const { step, directory, evalLoss, metrics } = checkpoint;
  const prefix = checkpointPrefix(lease.prefix, lease.epoch, step);
  // A lease that is gone already is found out here, before a useless manifest; one that goes later, by the swap below.
  const manifest = await putFolder(store, directory, prefix, { beforeManifest: lease.check });
  const committed = {
    ...{ step, epoch: lease.epoch, manifest },
    ...(evalLoss != null && { evalLoss }),
    ...(metrics && { metrics }),
  };
  await updateAndDrop(store, lease, (before) => withCheckpoint(before, committed, options.keep));
  return committed;
}

/**
 * Enters the result of a training. Of its checkpoints the newest stays, until a sweep is told to take that one too. The
 * metrics of the result are whole, so their parts go.
 *
 * @throws LeaseLost: then nothing was changed
 */
export async function finishTraining(store: Store, lease: Lease, final: unknown): Promise<void> {
  await updateAndDrop(store, lease, (record) => ({ ...record, final, checkpoints: record.checkpoints.slice(-1) }));
  // What stays behind is litter.
  await removeParts(store, lease.prefix).catch(() => undefined);
}

/** Changes the lease's record; what it no longer names is removed after that. */
async function updateAndDrop(store: Store, lease: Lease, change: (record: LeaseRecord) => LeaseRecord): Promise<void> {
  const dropped = new Map<string, Checkpoint>();
  await lease.update((before) => {
    const after = change(before);
    for (const old of before.checkpoints)
      if (!after.checkpoints.some((kept) => same(kept, old))) dropped.set(old.manifest.uri, old);
    return after;
  });
  // The change stands whether or not the removal works; what stays behind is litter that no reader sees.
  const removals = [...dropped.values()].map(({ epoch, step }) =>
    removeFolder(store, checkpointPrefix(lease.prefix, epoch, step)),
  );
  await Promise.allSettled(removals);
}

const same = (a: Checkpoint, b: Checkpoint): boolean => a.step === b.step && a.epoch === b.epoch;

/** Manifest first: from then on the folder does not exist, and a removal that is cut short leaves litter, no half. */
async function removeFolder(store: Store, prefix: string): Promise<void> {
  await removeKeys(store, await store.objects.list(`${prefix}/`));
}

/** The objects of folders, their manifests before everything else. */
export async function removeKeys(store: Store, keys: readonly string[]): Promise<void> {
  await store.objects.remove(keys.filter((key) => key.endsWith(`/${MANIFEST}`)));
  await store.objects.remove(keys.filter((key) => !key.endsWith(`/${MANIFEST}`)));
}

/** A checkpoint on this host, ready to go on from. */
export type Resumable = { step: number; directory: string };

/**
 * Downloads the newest whole checkpoint, every file verified. A damaged one is passed over with a warning and struck
 * from the record, and the one before is taken.
 *
 * @param directory the checkpoint appears below it
 * @returns null where none is whole: start from the beginning
 */
export async function newestWhole(store: Store, lease: Lease, directory: string, log: Log): Promise<Resumable | null> {
  for (const checkpoint of lease.record().checkpoints.toSorted(byStep).reverse()) {
    const target = join(directory, `step-${String(checkpoint.step).padStart(6, '0')}`);
    try {
      await rm(target, { recursive: true, force: true });
      return { step: checkpoint.step, directory: await getFolder(store, checkpoint.manifest, target) };
    } catch (error) {
      if (failureType(error) !== 'ArtefactDamaged') throw error;
      log.warn(`checkpoint of step ${checkpoint.step} is damaged, falling back to the one before`, {
        checkpoint: checkpoint.manifest.uri,
        reason: (error as Error).message,
      });
      await lease.update((record) => ({
        ...record,
        checkpoints: record.checkpoints.filter((other) => !same(other, checkpoint)),
      }));
    }
  }
  return null;
}
