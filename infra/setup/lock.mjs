import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { isAlive } from './command.mjs';

const LOOK_EVERY_MS = 200;
/** A file that stays empty for so many looks is not being written: its disk was full. */
const EMPTY_LOOKS = 10;

/**
 * Waits until no other set-up works in this checkout, and keeps others waiting until this process ends, however it does.
 *
 * @param {string} file
 * @param {(holder: number) => void} say told once whose end is waited for
 */
export async function waitForTurn(file, say) {
  // For its owner alone: the state of the embedded stack will lie in it.
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  let said = false;
  let emptyLooks = 0;
  while (!taken(file)) {
    const holder = holderOf(file);
    if (holder === null) continue;
    emptyLooks = holder === 0 ? emptyLooks + 1 : 0;
    if (holder === 0 && emptyLooks <= EMPTY_LOOKS) {
      await delay(LOOK_EVERY_MS);
      continue;
    }
    if (holder === 0 || !isAlive(holder)) {
      rmSync(file, { force: true });
      continue;
    }
    if (!said) say(holder);
    said = true;
    await delay(LOOK_EVERY_MS);
  }
  process.on('exit', () => rmSync(file, { force: true }));
}

/** @param {string} file @returns {boolean} false when somebody has it */
function taken(file) {
  try {
    writeFileSync(file, String(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code === 'EEXIST') return false;
    throw error;
  }
}

/** @param {string} file @returns {number | null} null when it has just been given back; 0 while its holder is writing it */
function holderOf(file) {
  try {
    return Number(readFileSync(file, 'utf8'));
  } catch {
    return null;
  }
}
