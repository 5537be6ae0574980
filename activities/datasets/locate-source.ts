import { createReadStream, existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import type { Readable } from 'node:stream';
import type { S3Client } from '@aws-sdk/client-s3';
import type { Surroundings } from '../../config/environment.ts';
import { projectRoot } from '../../config/environment.ts';
import { failure } from '../failure.ts';
import { createObjects } from '../store/objects.ts';
import { placeOf } from '../store/storage-failure.ts';
import { downloadFromHub } from './hub.ts';

/** Where data may come from, and the addresses and tokens for it. */
export type DataDeps = {
  s3: S3Client;
  surroundings: Pick<Surroundings, 'tinyBase'>;
  /** `RATCHET_DATA`, `HF_ENDPOINT`, `HF_TOKEN`. */
  environment: Readonly<Record<string, string | undefined>>;
};

/** File of the synthetic world's questions, beside the tiny base that knows it. */
export const worldFile = ({ tinyBase }: DataDeps['surroundings']): string => join(tinyBase, 'world.jsonl');

/** Folder in which relative paths are looked up first: `RATCHET_DATA`, else `shared/data` beside the checkout. */
const dataFolder = (environment: DataDeps['environment']): string =>
  environment['RATCHET_DATA'] || resolve(projectRoot, '../shared/data');

function localFile(source: string, { environment }: DataDeps): string {
  const tried = isAbsolute(source)
    ? [source]
    : [resolve(dataFolder(environment), source), resolve(projectRoot, source)];
  const found = tried.find((path) => existsSync(path));
  if (found !== undefined) return found;
  throw failure(
    'InvalidData',
    `there is no file ${tried.join(', nor ')}; give the path of a StrategyQA file (DATASET_NAME), s3://… or hf://…, or set RATCHET_DATA`,
  );
}

function world({ surroundings }: DataDeps): string {
  const file = worldFile(surroundings);
  if (existsSync(file)) return file;
  throw failure('InvalidData', `the synthetic world is not built: there is no ${file}; run npm run setup`);
}

/**
 * Runs `read` on a local file with the source's content; what was downloaded for it is removed afterwards.
 *
 * @param source file, `s3://bucket/key`, `hf://owner/name[@revision][/path]` or `builtin:world`
 * @throws InvalidData (no such thing), CredentialsRefused, BucketMissing: permanent; StorageUnavailable: retryable
 */
export async function withSource<T>(
  source: string,
  deps: DataDeps,
  read: (path: string, open: () => Readable) => Promise<T>,
): Promise<T> {
  const remote = source.startsWith('s3://') || source.startsWith('hf://');
  if (!remote) {
    const path = source === 'builtin:world' ? world(deps) : localFile(source, deps);
    return read(path, () => createReadStream(path, 'utf8'));
  }
  const folder = await mkdtemp(join(tmpdir(), 'ratchet-data-'));
  try {
    const path = join(folder, 'rows');
    if (source.startsWith('hf://')) await downloadFromHub(source, deps.environment, path);
    else {
      const { bucket, key } = placeOf(source);
      const written = await createObjects(deps.s3, bucket).download(key, path);
      if (written === null) throw failure('InvalidData', `there is no object ${source}; check bucket and key`);
    }
    return await read(path, () => createReadStream(path, 'utf8'));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
