import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

/** The home that a checkout has when RATCHET_HOME says nothing. */
const standardHome = resolve(import.meta.dirname, '../..', '.ratchet');

/**
 * Makes the folder of a stack's state, for its owner alone: prompts, data and answers lie in it. A folder that was there
 * already and was chosen by RATCHET_HOME keeps the rights that its owner gave it.
 */
export function makeHome(home: string): void {
  mkdirSync(home, { recursive: true, mode: 0o700 });
  if (home === standardHome && (statSync(home).mode & 0o077) !== 0) chmodSync(home, 0o700);
}

/**
 * The secret key of this home's S3 server, made at the first question. One that everybody knows would let any web page
 * sign requests.
 */
export function secretOf(home: string): string {
  const file = join(home, 's3.key');
  makeHome(home);
  for (;;) {
    const key = readWhole(file);
    if (key !== '') return key;
    try {
      writeFileSync(file, randomBytes(24).toString('base64url'), { mode: 0o600, flag: 'wx' });
    } catch (error) {
      // Somebody else makes it at this very moment.
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
}

/** Empty where there is none; one that stays empty (a disk was full) is removed. */
function readWhole(file: string): string {
  for (let tries = 0; tries < 100; tries += 1) {
    try {
      const text = readFileSync(file, 'utf8').trim();
      if (text !== '') return text;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
      throw error;
    }
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
  }
  rmSync(file, { force: true });
  return '';
}
