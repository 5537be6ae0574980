import { spawn, spawnSync } from 'node:child_process';
import { createWriteStream, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

/** @type {Set<import('node:child_process').ChildProcess>} */
const running = new Set();
/** @type {Set<string>} */
const partials = new Set();

/**
 * Runs a command, its output into a log file. Never rejects for a non-zero exit: the caller explains it.
 *
 * @param {string} file
 * @param {readonly string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv, logFile: string }} options
 * @returns {Promise<{ ok: boolean, output: string, logFile: string }>} `output` holds the last 64 KiB
 */
export function runLogged(file, args, { cwd, env, logFile }) {
  mkdirSync(dirname(logFile), { recursive: true });
  const log = createWriteStream(logFile, { flags: 'w' });
  log.write(`$ ${[file, ...args].join(' ')}\n`);
  return new Promise((resolve) => {
    // A group of its own, so that stopping takes the compilers and downloads below it along.
    const child = spawn(file, args, { cwd, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    running.add(child);
    let output = '';
    const keep = (/** @type {Buffer} */ chunk) => {
      log.write(chunk);
      output = (output + chunk.toString()).slice(-65_536);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    const finish = (/** @type {boolean} */ ok) => {
      running.delete(child);
      log.end(() => resolve({ ok, output, logFile }));
    };
    child.once('error', (error) => {
      output += error.message;
      finish(false);
    });
    child.once('close', (code, signal) => {
      if (signal !== null) output += `\nended by ${signal}`;
      finish(code === 0);
    });
  });
}

/**
 * Short look-up command, e.g. `--version`.
 *
 * @param {string} file
 * @param {readonly string[]} args
 * @param {NodeJS.ProcessEnv} [more] set besides this process's environment
 * @returns {string | undefined} trimmed standard output, undefined if it is not there or fails
 */
export function ask(file, args, more = {}) {
  const env = { ...process.env, ...more };
  const result = spawnSync(file, args, { encoding: 'utf8', timeout: 20_000, env, stdio: ['ignore', 'pipe', 'ignore'] });
  return result.status === 0 ? result.stdout.trim() : undefined;
}

/**
 * Name to build under; rename it to `target` when whole. Left-overs of dead set-ups are removed, and so is this one on Ctrl-C.
 *
 * @param {string} target file or folder that must never be seen half-built
 */
export function partialOf(target) {
  mkdirSync(dirname(target), { recursive: true });
  const prefix = `${basename(target)}.partial-`;
  for (const name of readdirSync(dirname(target))) {
    if (name.startsWith(prefix) && !isAlive(Number(name.slice(prefix.length)))) {
      rmSync(join(dirname(target), name), { recursive: true, force: true });
    }
  }
  const partial = `${target}.partial-${process.pid}`;
  rmSync(partial, { recursive: true, force: true });
  partials.add(partial);
  return partial;
}

/** @param {string} target a name that `partialOf` was given; what was built for it is not wanted any more */
export function abandon(target) {
  const partial = `${target}.partial-${process.pid}`;
  rmSync(partial, { recursive: true, force: true });
  partials.delete(partial);
}

/** Stops what runs and removes what is half-built; called on Ctrl-C and on failure. */
export function abandonEverything() {
  for (const child of running) {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    } catch {
      // Already gone.
    }
  }
  for (const partial of partials) rmSync(partial, { recursive: true, force: true });
}

/** @param {number} pid */
export function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
