import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { S3Client } from '@aws-sdk/client-s3';
import type { Surroundings } from '../../config/environment.ts';
import { failure } from '../failure.ts';
import { createObjects } from '../store/objects.ts';
import { placeOf } from '../store/storage-failure.ts';
import { downloadFromHub } from './hub.ts';
import { findLocalFile } from './local-files.ts';

/** Where data may come from, and the addresses and tokens for it. */
export type DataDeps = {
  s3: S3Client;
  surroundings: Pick<Surroundings, 'tinyBase'>;
  /** `RATCHET_DATA`, `HF_ENDPOINT`, `HF_TOKEN`. */
  environment: Readonly<Record<string, string | undefined>>;
  /** True for workers, which are sent the paths of others; see local-files.ts. */
  confined?: boolean;
};

/** Local files with a source's rows, in their order, and what they are called there; `revision` = the hub's commit. */
export type SourceFiles = { files: { name: string; path: string }[]; revision?: string };

/** File of the synthetic world's questions, beside the tiny base that knows it. */
export const worldFile = ({ tinyBase }: DataDeps['surroundings']): string => join(tinyBase, 'world.jsonl');

function world({ surroundings }: DataDeps): string {
  const file = worldFile(surroundings);
  if (existsSync(file)) return file;
  throw failure('InvalidData', `the synthetic world is not built: there is no ${file}; run npm run setup`);
}

/** The hub's data set as it lies below `RATCHET_DATA`: a mirror for hosts without a way out. */
function mirrorOf(source: string, { environment }: DataDeps): string | undefined {
  const { RATCHET_DATA: folder } = environment;
  const match = /^hf:\/\/([\w.-]+)\/([\w.-]+?)(?:\/(.+))?$/.exec(source);
  if (!folder || !match) return undefined;
  const [, owner = '', name = '', path] = match;
  const files = path === undefined ? ['train.json', 'train.jsonl'] : [path];
  const folders = [join(owner, name), name.toLowerCase()];
  const found = folders.flatMap((inner) => files.map((file) => join(inner, file)));
  return found.find((file) => existsSync(join(folder, file)));
}

function localFiles(source: string, deps: DataDeps): SourceFiles {
  const reach = { dataFolder: deps.environment['RATCHET_DATA'], confined: deps.confined ?? false };
  const path = source === 'builtin:world' ? world(deps) : findLocalFile(source, reach);
  return { files: [{ name: source, path }] };
}

/**
 * Runs `read` on local files with the source's content; what was downloaded for it is removed afterwards.
 *
 * @param source file, `s3://bucket/key`, `hf://owner/name[@revision][/path]` or `builtin:world`
 * @throws InvalidData (no such thing), CredentialsRefused, BucketMissing: permanent; StorageUnavailable: retryable
 */
export async function withSource<T>(
  source: string,
  deps: DataDeps,
  read: (found: SourceFiles) => Promise<T>,
): Promise<T> {
  const mirror = mirrorOf(source, deps);
  if (mirror !== undefined) return read(localFiles(mirror, deps));
  if (!source.startsWith('s3://') && !source.startsWith('hf://')) return read(localFiles(source, deps));
  const folder = await mkdtemp(join(tmpdir(), 'ratchet-data-'));
  try {
    if (source.startsWith('hf://')) return await read(await downloadFromHub(source, deps.environment, folder));
    const { bucket, key } = placeOf(source);
    const path = join(folder, 'rows');
    const written = await createObjects(deps.s3, bucket).download(key, path);
    if (written === null) throw failure('InvalidData', `there is no object ${source}; check bucket and key`);
    return await read({ files: [{ name: source, path }] });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
