import { mkdir, readFile, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import { z } from 'zod';
import type { ArtefactRef } from '../../domain/records.ts';
import { failure } from '../failure.ts';
import { hashFile, sha256, temporaryName } from './files.ts';
import type { Written } from './files.ts';
import { inParallel } from './parallel.ts';
import { placeOf, storageFailure, uriOf } from './storage-failure.ts';
import type { Store } from './store.ts';

/** Files in flight at once, each way; how much of them is in memory is bounded by their pieces. */
const PARALLEL_FILES = 16;

/**
 * A folder in S3: every file with size and digest. Written last, so a folder without one does not exist. It holds
 * nothing but content: equal folders have manifests of equal digest, wherever and whenever they were made.
 */
export const Manifest = z.strictObject({
  version: z.literal(1),
  files: z.array(
    z.strictObject({
      name: z.string().describe('Path within the folder, with forward slashes.'),
      bytes: z.int().min(0),
      sha256: z.string().regex(/^[0-9a-f]{64}$/),
    }),
  ),
});
export type Manifest = z.infer<typeof Manifest>;

export const MANIFEST = 'manifest.json';

/** Names of the files below a folder, sorted by code unit. */
async function filesBelow(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { withFileTypes: true, recursive: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(directory, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .sort();
}

/** Manifest of a folder whose files are hashed by `digestOf`, by name. */
async function manifestOf(directory: string, digestOf: (name: string) => Promise<Written>): Promise<Manifest> {
  const files = await inParallel(await filesBelow(directory), PARALLEL_FILES, async (name) => {
    const { bytes, sha256 } = await digestOf(name);
    return { name, bytes, sha256 };
  });
  return { version: 1, files };
}

/** What the folder's manifest is, from the files on disk. */
export const describeFolder = (directory: string): Promise<Manifest> =>
  manifestOf(directory, (name) => hashFile(join(directory, name)));

/** The bytes of a manifest, the same for the same content. */
export const manifestText = (manifest: Manifest): string => `${JSON.stringify(manifest)}\n`;

/**
 * Uploads a folder below `prefix`: the files, then `manifest.json` by conditional put.
 *
 * @param options.beforeManifest runs when every file is up and nothing exists yet; what it throws stops the commit
 * @returns reference of the manifest; its `bytes` are the manifest's own
 * @throws LeaseLost when another content already lies there
 */
export async function putFolder(
  store: Store,
  directory: string,
  prefix: string,
  options: { beforeManifest?: () => Promise<void> } = {},
): Promise<ArtefactRef> {
  const manifest = await manifestOf(directory, (name) =>
    store.objects.putFile(`${prefix}/${name}`, join(directory, name)),
  );
  await options.beforeManifest?.();
  const text = manifestText(manifest);
  const key = `${prefix}/${MANIFEST}`;
  if (!(await store.objects.putIfAbsent(key, text))) {
    throw failure('LeaseLost', `${store.uriOf(key)} was already written with other content by another worker`);
  }
  return { uri: store.uriOf(key), sha256: sha256(text), bytes: Buffer.byteLength(text), rows: 0 };
}

/** The manifest behind a reference, verified. @throws ArtefactDamaged */
export async function readManifest(store: Store, ref: ArtefactRef): Promise<Manifest> {
  const parsed = Manifest.safeParse(JSON.parse(await readFile(await store.fetch(ref), 'utf8')));
  if (parsed.success) return parsed.data;
  throw failure('ArtefactDamaged', `${ref.uri} is not a folder's manifest: ${z.prettifyError(parsed.error)}`);
}

/**
 * Downloads a folder, verifying every file. `directory` is whole or absent: it appears by a rename, and if it is there
 * already nothing is done.
 *
 * @throws ArtefactDamaged when a file is missing or hashes to something else
 */
export async function getFolder(store: Store, ref: ArtefactRef, directory: string): Promise<string> {
  if (await exists(directory)) return directory;
  const manifest = await readManifest(store, ref);
  const { bucket, key } = placeOf(ref.uri);
  const partial = temporaryName(directory);
  const download = async ({ name, bytes, sha256 }: Manifest['files'][number]): Promise<void> => {
    const path = insideOf(partial, name);
    const uri = uriOf({ bucket, key: `${dirname(key)}/${name}` });
    await store.download({ uri, bytes, sha256, rows: 0 }, path);
  };
  try {
    const folders = manifest.files.map(({ name }) => dirname(insideOf(partial, name)));
    for (const folder of new Set([partial, ...folders])) await mkdir(folder, { recursive: true });
    await inParallel(manifest.files, PARALLEL_FILES, download);
    await rename(partial, directory).catch(async (error: unknown) => {
      // Another process of this host was faster; its folder is as whole as ours.
      if (!(await exists(directory))) throw error;
    });
    return directory;
  } catch (error) {
    throw storageFailure(error, 'downloading', { bucket, key });
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
}

/** A manifest is read from S3: its names must not lead out of the folder. */
function insideOf(directory: string, name: string): string {
  const path = join(directory, name);
  if (path.startsWith(`${directory}${sep}`)) return path;
  throw failure(
    'ArtefactDamaged',
    `a manifest names the file ${JSON.stringify(name)}, which lies outside of its folder`,
  );
}

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );

/** Path of a folder in the host's cache, downloaded once: for adapters and bases, which many jobs read. */
export function cachedFolder(store: Store, ref: ArtefactRef): Promise<string> {
  const { cache } = store;
  const path = join(cache.directory, 'folders', ref.sha256);
  const download = async (): Promise<void> => {
    await mkdir(dirname(path), { recursive: true });
    await getFolder(store, ref, path);
    const { files } = await readManifest(store, ref);
    await cache.room.added(files.reduce((sum, { bytes }) => sum + bytes, 0));
  };
  return cache.take(ref.sha256, path, () => true, download);
}
