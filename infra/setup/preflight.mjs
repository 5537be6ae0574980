import { existsSync, statfsSync } from 'node:fs';
import { release } from 'node:os';
import { arch, platform, versions } from 'node:process';
import { ask } from './command.mjs';
import { hasGoToolsOrGo } from './go-tools.mjs';
import { hasNodePackages, ownNodeMajor, platformPackage } from './node-packages.mjs';
import { root } from './places.mjs';
import { Problem } from './problem.mjs';
import {
  findPython,
  findPythonWithVenv,
  findUv,
  hasPythonEnvironment,
  pythonIsMissing,
  venvIsMissing,
} from './python.mjs';

/** torch with its CUDA libraries is most of it. */
const BYTES_OF_PYTHON_ENVIRONMENT = 8e9;

/**
 * In a few words, where ratchet is about to be set up, and how far that has been tried.
 *
 * @throws {Problem} a system that ratchet does not run on
 */
export function describeSystem() {
  const systems = 'ratchet runs on Linux, and on Windows in WSL 2';
  if (platform === 'win32') {
    throw new Problem(`${systems}; not on Windows itself.`, 'wsl --install, then clone and start it there');
  }
  if (platform === 'darwin' && arch === 'arm64') return 'macOS: without a GPU, and not tried by CI (Linux is)';
  if (platform !== 'linux' || !(arch === 'x64' || arch === 'arm64')) {
    throw new Problem(
      `${systems}, x64 or arm64 (and on Apple silicon without a GPU); this is ${platform} ${arch}.`,
      'Use such a machine.',
    );
  }
  if (/microsoft/i.test(release()) && !/WSL2/i.test(release())) {
    throw new Problem(`${systems}; this is WSL 1.`, 'wsl --set-version DISTRIBUTION 2');
  }
  return `Linux ${arch}`;
}

/**
 * Everything that the steps will need and that is not here, in the first second: a step says so only when it gets there.
 * Asks for nothing that is needed by a step which finds its result in place.
 *
 * @param {{ isWorkerOnly: boolean }} choice
 * @returns {Problem[]}
 */
export function whatIsMissing({ isWorkerOnly }) {
  /** @type {Problem[]} */
  const missing = [];
  if (!hasNodePackages()) missing.push(...missingForNode());
  if (!hasPythonEnvironment()) missing.push(...missingForPython());
  if (!isWorkerOnly && !hasGoToolsOrGo() && findPythonWithVenv() === undefined) {
    missing.push(venvIsMissing('for the Go toolchain that builds the Temporal CLI and the S3 server'));
  }
  return missing;
}

function* missingForNode() {
  if (ask('npm', ['--version']) === undefined) {
    yield new Problem(
      'npm is missing, or does not run.',
      'Debian, Ubuntu: apt-get install npm · or install Node from https://nodejs.org',
    );
  }
  if (platformPackage() === undefined && ownNodeMajor() < 24) {
    yield new Problem(
      `On ${platform} ${arch} ratchet runs on your own Node, which must be 24 or newer; this is ${versions.node}.`,
      'macOS: brew install node@24',
    );
  }
}

function* missingForPython() {
  if (findUv() === undefined && findPythonWithVenv() === undefined) {
    yield findPython() === undefined ? pythonIsMissing() : venvIsMissing('to install uv');
  }
  const { bavail, bsize } = statfsSync(root);
  const freeBytes = bavail * bsize;
  if (freeBytes < BYTES_OF_PYTHON_ENVIRONMENT && !existsSync(`${root}/trainer/.venv`)) {
    const gigabytes = (/** @type {number} */ bytes) => (bytes / 1e9).toFixed(1);
    yield new Problem(
      `${gigabytes(freeBytes)} GB are free at ${root}; the Python environment needs ${gigabytes(BYTES_OF_PYTHON_ENVIRONMENT)} GB.`,
      'Free some, or clone onto a larger disk.',
    );
  }
}
