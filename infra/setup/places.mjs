import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

/** The checkout. */
export const root = resolve(import.meta.dirname, '../..');

/** Built tools, shared by every checkout of this user; named by what they are built from. */
export const toolCache = join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'ratchet', 'tools');

/** @param {string} name */
export const logFile = (name) => join(root, '.ratchet', 'logs', `setup-${name}.log`);

/** Held by the set-up that is at work in this checkout. */
export const lockFile = join(root, '.ratchet', 'setup.lock');

/** Where set-up writes down which tools the embedded stack is to use: `{ temporal: PATH, versitygw: PATH }`. */
export const toolsFile = join(root, '.ratchet', 'tools.json');

/**
 * @param {readonly string[]} files read as bytes, in order
 * @param {readonly string[]} [words] whatever else the result depends on
 * @returns {string} 16 hex digits
 */
export function contentHash(files, words = []) {
  const hash = createHash('sha256');
  for (const file of files) hash.update(readFileSync(file)).update('\0');
  for (const word of words) hash.update(word).update('\0');
  return hash.digest('hex').slice(0, 16);
}

/** @param {string} stampFile @param {string} key */
export function isStamped(stampFile, key) {
  return existsSync(stampFile) && readFileSync(stampFile, 'utf8') === key;
}

/** @param {string} file @param {string} text written under another name first, so that it is whole or not there */
export function writeWhole(file, text) {
  mkdirSync(dirname(file), { recursive: true });
  const partial = `${file}.partial-${process.pid}`;
  writeFileSync(partial, text);
  renameSync(partial, file);
}
