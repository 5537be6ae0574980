import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ask, runLogged } from './command.mjs';
import { logFile, root } from './places.mjs';
import { Problem, explainFailure } from './problem.mjs';

/** The current Node that everything after set-up runs on; it comes from the npm package `node`. */
export const projectNode = join(root, 'node_modules', 'node', 'bin', 'node');

/**
 * `npm ci` if node_modules is not what package-lock.json says.
 *
 * @type {import('./progress.mjs').Step['run']}
 */
export async function installNodePackages(say) {
  if (isCurrent()) return 'in place';
  const options = {
    cwd: root,
    // This process may itself run on the Node that npm is about to remove: npm must find another one.
    env: { ...process.env, PATH: withoutProjectBin(process.env['PATH'] ?? '') },
    logFile: logFile('node'),
  };
  let command = 'npm ci';
  say(command);
  let result = await runLogged('npm', ['ci', '--no-audit', '--no-fund'], options);
  if (!result.ok && result.output.includes('EUSAGE')) {
    // A lock file made behind a mirror lacks what the mirror has not: packages for other platforms. `npm ci` refuses it;
    // this takes from it all that it has, and leaves it as it is.
    command = 'npm install --no-save';
    say(command);
    result = await runLogged('npm', ['install', '--no-save', '--no-audit', '--no-fund'], options);
  }
  if (!result.ok) throw explainFailure(command, 'the npm registry', result);
  if (!existsSync(projectNode)) {
    throw new Problem(
      `${command} ran, but the package "node" left no node_modules/node/bin/node.`,
      'Its install script was not run: "npm config get ignore-scripts" must be false.',
    );
  }
  return `${command}, Node ${(ask(projectNode, ['--version']) ?? '?').slice(1)}`;
}

/** npm leaves a lock file of what it has really installed; it is written last, so a broken install has none. */
function isCurrent() {
  const installedFile = join(root, 'node_modules', '.package-lock.json');
  if (!existsSync(installedFile) || !existsSync(projectNode)) return false;
  const wanted = packagesOf(join(root, 'package-lock.json'));
  const installed = packagesOf(installedFile);
  return Object.entries(wanted).every(([path, entry]) => {
    if (path === '' || entry.link) return true;
    const found = installed[path];
    // Packages for other platforms are in the lock file and rightly not installed.
    if (!found) return entry.optional === true || entry.devOptional === true || entry.peer === true;
    return found.version === entry.version && found.integrity === entry.integrity;
  });
}

/**
 * @param {string} file
 * @returns {Record<string, { version?: string, integrity?: string, link?: boolean, optional?: boolean, devOptional?: boolean, peer?: boolean }>}
 */
function packagesOf(file) {
  return JSON.parse(readFileSync(file, 'utf8')).packages ?? {};
}

/** @param {string} path */
function withoutProjectBin(path) {
  return path
    .split(':')
    .filter((folder) => folder !== join(root, 'node_modules', '.bin'))
    .join(':');
}
