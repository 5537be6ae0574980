import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { isAlive } from './command.mjs';

/**
 * Waits until no other set-up works in this checkout, and keeps others waiting until this process ends, however it does.
 *
 * @param {string} file
 * @param {(holder: number) => void} say told once whose end is waited for
 */
export async function waitForTurn(file, say) {
  mkdirSync(dirname(file), { recursive: true });
  const own = `${file}-${process.pid}`;
  writeFileSync(own, String(process.pid));
  process.on('exit', () => rmSync(own, { force: true }));
  for (let said = false; ; said = true) {
    try {
      // A name for a file that is whole already: nobody ever reads an empty lock.
      linkSync(own, file);
      rmSync(own);
      process.on('exit', () => rmSync(file, { force: true }));
      return;
    } catch (error) {
      if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'EEXIST') throw error;
    }
    const holder = holderOf(file);
    if (holder !== null && !isAlive(holder)) rmSync(file, { force: true });
    else if (holder !== null) {
      if (!said) say(holder);
      await delay(200);
    }
  }
}

/** @param {string} file @returns {number | null} null when it has just been given back */
function holderOf(file) {
  try {
    return Number(readFileSync(file, 'utf8'));
  } catch {
    return null;
  }
}
