import { failureType } from '../failure.ts';
import type { Entry, OpenUpload } from '../store/housekeeping.ts';
import { MANIFEST } from '../store/folders.ts';
import { inParallel } from '../store/parallel.ts';
import { placeOf } from '../store/storage-failure.ts';
import type { Store } from '../store/store.ts';
import { removeKeys } from './checkpoints.ts';
import { forgetCheckpoints, readLease } from './lease.ts';
import type { LeaseRecord } from './lease.ts';
import { isPartOf } from './metrics-parts.ts';

/** An upload that has been open for longer was left behind by a process that is gone. */
const UPLOAD_STALE_MS = 24 * 3600_000;
const AT_ONCE = 8;

export type SweepOptions = {
  /** Only what lies below `runs/<run>/`; null = every run. */
  run: string | null;
  /** For what the newest attempt of an unfinished training left: it may still be on its way. */
  olderThanMs: number;
  /** Also the last checkpoint of every finished training. */
  checkpoints: boolean;
  /** Says what would go, and does nothing. */
  dryRun: boolean;
  now: Date;
};

/** A folder, or a file beside the folders, that nothing refers to. */
export type Litter = {
  folder: string;
  why: 'a lost attempt' | 'a finished training' | 'nobody came back for it' | 'its checkpoint is no longer needed';
  objects: number;
  bytes: number;
};

export type SweepReport = {
  dryRun: boolean;
  removed: Litter[];
  uploads: OpenUpload[];
  /** Trainings that were left alone, and why. */
  skipped: { training: string; reason: string }[];
  objects: number;
  bytes: number;
};

/**
 * Removes what attempts that were lost in the middle of an upload left behind, and checkpoints that ceased to count.
 * Only checkpoints, adapters and metrics below `training-…/epoch-…` are looked at; what a lease, a state or a report
 * of any run names stays, and so does what the live attempt of a training may be uploading.
 *
 * Safe beside running programmes: objects are listed before leases are read, and only the attempt that holds a lease can
 * make an object of its own epoch count. An object of an older epoch that is not named then never will be.
 *
 * @throws ArtefactDamaged when a state or report cannot be read: nobody can say what it refers to, so nothing is removed
 */
export async function sweep(store: Store, options: SweepOptions): Promise<SweepReport> {
  const entries = await store.objects.entries('runs/');
  const referred = await references(store, entries);
  const trainings = byTraining(entries, options.run === null ? 'runs/' : `runs/${options.run}/`);
  const report: SweepReport = { dryRun: options.dryRun, removed: [], uploads: [], skipped: [], objects: 0, bytes: 0 };
  await inParallel([...trainings], AT_ONCE, async ([training, folders]) => {
    try {
      report.removed.push(...(await sweepTraining(store, options, training, folders, referred)));
    } catch (error) {
      if (failureType(error) !== 'ArtefactDamaged') throw error;
      report.skipped.push({ training, reason: (error as Error).message });
    }
  });
  report.uploads = await abortStale(store, options);
  report.removed.sort((a, b) => (a.folder < b.folder ? -1 : 1));
  report.objects = report.removed.reduce((sum, { objects }) => sum + objects, 0);
  report.bytes = report.removed.reduce((sum, { bytes }) => sum + bytes, 0);
  return report;
}

type Folder = { folder: string; epoch: number; entries: Entry[] };

/** What may be litter, by training: whole folders, since a folder without its manifest is none. */
function byTraining(entries: readonly Entry[], below: string): Map<string, Folder[]> {
  const folders = new Map<string, Folder & { training: string }>();
  for (const entry of entries) {
    const match =
      /^((runs\/.+\/training-[0-9a-f]+)\/epoch-(\d+)\/(?:step-\d+|adapter|metrics\.jsonl|metrics\/[^/]+))(?:\/|$)/.exec(
        entry.key,
      );
    if (match === null || !entry.key.startsWith(below)) continue;
    const [, folder = '', training = '', epoch = ''] = match;
    const known = folders.get(folder);
    if (known) known.entries.push(entry);
    else folders.set(folder, { folder, training, epoch: Number(epoch), entries: [entry] });
  }
  return Map.groupBy(folders.values(), ({ training }) => training);
}

/** Keys and prefixes that states and reports name, in whatever field. */
async function references(store: Store, entries: readonly Entry[]): Promise<Set<string>> {
  const documents = entries.filter(({ key }) => /\/(state|report)\.json$/.test(key));
  const found = new Set<string>();
  await inParallel(documents, AT_ONCE, async ({ key }) => {
    addReferences(store, (await store.getJson(key))?.value, found);
  });
  return found;
}

function addReferences(store: Store, value: unknown, found: Set<string>): void {
  const bucket = `s3://${store.bucket}/`;
  // A base in a recipe is a folder's prefix.
  if (typeof value === 'string' && value.startsWith(bucket)) found.add(value.slice(bucket.length).replace(/\/$/, ''));
  else if (typeof value === 'object' && value !== null)
    for (const part of Object.values(value)) addReferences(store, part, found);
}

async function sweepTraining(
  store: Store,
  options: SweepOptions,
  training: string,
  folders: readonly Folder[],
  referred: ReadonlySet<string>,
): Promise<Litter[]> {
  const lease = (await readLease(store, training))?.record ?? null;
  const forgotten = new Set<string>();
  if (options.checkpoints && lease !== null && lease.final !== null) {
    const checkpoints = options.dryRun ? lease.checkpoints : await forgetCheckpoints(store, training);
    for (const { manifest } of checkpoints) forgotten.add(placeOf(manifest.uri).key);
  }
  const named = new Set(referred);
  addReferences(store, lease, named);
  for (const key of forgotten) if (!referred.has(key)) named.delete(key);
  // Parts of the metrics are needed until the training is finished.
  const segments = lease?.final === null ? lease.checkpoints.flatMap(({ metrics }) => metrics ?? []) : [];
  const litter: Litter[] = [];
  const keysToRemove: string[] = [];
  for (const { folder, epoch, entries } of folders) {
    const keys = entries.map(({ key }) => key);
    if (isPartOf(folder, segments)) continue;
    if (named.has(folder) || named.has(`${folder}/${MANIFEST}`) || keys.some((key) => named.has(key))) continue;
    const newest = Math.max(...entries.map(({ modified }) => modified));
    const why = forgotten.has(`${folder}/${MANIFEST}`)
      ? 'its checkpoint is no longer needed'
      : reasonToRemove(lease, epoch, options.now.getTime() - newest > options.olderThanMs);
    if (why === null) continue;
    litter.push({ folder, why, objects: keys.length, bytes: entries.reduce((sum, { bytes }) => sum + bytes, 0) });
    keysToRemove.push(...keys);
  }
  if (!options.dryRun) await removeKeys(store, keysToRemove);
  return litter;
}

/** Null: the attempt that holds the lease may be about to make it count. */
function reasonToRemove(lease: LeaseRecord | null, epoch: number, isOld: boolean): Litter['why'] | null {
  if (lease !== null && lease.final !== null) return 'a finished training';
  if (lease !== null && epoch < lease.epoch) return 'a lost attempt';
  return isOld ? 'nobody came back for it' : null;
}

async function abortStale(store: Store, { run, dryRun, now }: SweepOptions): Promise<SweepReport['uploads']> {
  const uploads = await store.objects.openUploads(run === null ? '' : `runs/${run}/`);
  const stale = uploads.filter(({ begun }) => now.getTime() - begun > UPLOAD_STALE_MS);
  if (!dryRun) await inParallel(stale, AT_ONCE, store.objects.abortUpload);
  return stale;
}
