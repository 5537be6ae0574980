import { existsSync } from 'node:fs';
import { isAbsolute, join, resolve } from 'node:path';
import { projectRoot } from '../../config/environment.ts';
import { failure } from '../failure.ts';
import { MANIFEST, cachedFolder } from '../store/folders.ts';
import { sha256 } from '../store/files.ts';
import { placeOf } from '../store/storage-failure.ts';
import type { Store } from '../store/store.ts';

/** Where builtin bases lie on this host, by the name after `builtin:`. */
export type BaseFolders = { tiny: string };

/**
 * Path (or hub id) of a base model as the trainer takes it.
 *
 * @param base as in the recipe: builtin:NAME, s3:// prefix of an uploaded folder, local folder, or hub id
 * @throws InvalidJob when a folder or prefix does not hold a model
 */
export async function resolveBase(store: Store, folders: BaseFolders, base: string): Promise<string> {
  if (base.startsWith('builtin:')) return builtin(folders, base.slice('builtin:'.length));
  if (base.startsWith('s3://')) return fromS3(store, base);
  // `org/name` is a hub id unless there is a folder of that name.
  const folder = resolve(projectRoot, base);
  const looksLocal = isAbsolute(base) || base.startsWith('.') || existsSync(folder);
  return looksLocal
    ? withConfig(folder, `model.base ${base}`, 'name a folder with config.json, weights and tokenizer')
    : base;
}

function builtin(folders: BaseFolders, name: string): string {
  if (name !== 'tiny') throw failure('InvalidJob', `model.base builtin:${name}: the only builtin base is builtin:tiny`);
  return withConfig(folders.tiny, 'model.base builtin:tiny', 'unset RATCHET_TINY_BASE, or name a folder with a model');
}

function withConfig(folder: string, what: string, fix: string): string {
  if (existsSync(join(folder, 'config.json'))) return folder;
  throw failure('InvalidJob', `${what}: there is no model in ${folder}; ${fix}`);
}

async function fromS3(store: Store, base: string): Promise<string> {
  const { bucket, key } = placeOf(`${base.replace(/\/$/, '')}/${MANIFEST}`);
  if (bucket !== store.bucket)
    throw failure('InvalidJob', `model.base ${base}: only bases in the bucket ${store.bucket} can be used`);
  const found = await store.objects.read(key);
  if (found === null)
    throw failure('InvalidJob', `model.base ${base}: there is no ${MANIFEST}; upload the folder with its manifest`);
  const ref = { uri: store.uriOf(key), sha256: sha256(found.body), bytes: Buffer.byteLength(found.body), rows: 0 };
  return cachedFolder(store, ref);
}
