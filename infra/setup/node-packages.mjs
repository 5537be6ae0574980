import { existsSync, mkdirSync, readFileSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { arch, execPath, platform, versions } from 'node:process';
import { ask, runLogged } from './command.mjs';
import { logFile, root } from './places.mjs';
import { Problem, explainFailure } from './problem.mjs';

/**
 * The Node that everything after set-up runs on: a link that set-up makes, to the package that npm has for this platform
 * (so that its bytes are those of package-lock.json), or to the Node that runs the set-up where npm has none.
 */
export const projectNode = join(root, 'node_modules', 'node', 'bin', 'node');

/** @returns {string | undefined} name of the npm package with this platform's Node; undefined where package-lock.json has none */
export function platformPackage() {
  const name = `node-${platform}-${arch}`;
  return packagesOf(join(root, 'package-lock.json'))[`node_modules/${name}`] ? name : undefined;
}

/** Major version of the Node that runs the set-up. */
export const ownNodeMajor = () => Number(versions.node.split('.')[0]);

/**
 * `npm ci` if node_modules is not what package-lock.json says.
 *
 * @type {import('./progress.mjs').Step['run']}
 */
export async function installNodePackages(say) {
  if (hasNodePackages()) return 'in place';
  if (isCurrent()) return `linked Node ${linkNode('set-up')}`;
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
  return `${command}, Node ${linkNode(command)}`;
}

/**
 * Makes `projectNode`.
 *
 * @param {string} command what has installed the packages
 * @returns {string} version of that Node
 */
function linkNode(command) {
  const target = nodeToLink();
  const version = ask(target, ['--version']);
  if (version === undefined) {
    // npm leaves out without a word what is optional and cannot be had.
    throw new Problem(
      `${command} ran, but left no Node that runs at ${target}.`,
      'rm -rf node_modules && npm run setup',
    );
  }
  rmSync(join(root, 'node_modules', 'node'), { recursive: true, force: true });
  mkdirSync(dirname(projectNode), { recursive: true });
  symlinkSync(relative(dirname(projectNode), target), projectNode);
  return version.slice(1);
}

function nodeToLink() {
  const name = platformPackage();
  return name === undefined ? realpathSync(execPath) : join(root, 'node_modules', name, 'bin', 'node');
}

/** True where node_modules is what package-lock.json says, and its Node is linked. */
export function hasNodePackages() {
  return isCurrent() && isLinked();
}

function isLinked() {
  if (!existsSync(projectNode)) return false;
  // Where it is the user's own, any later one of theirs may run the set-up again.
  return platformPackage() === undefined || realpathSync(projectNode) === realpathSync(nodeToLink());
}

/** npm leaves a lock file of what it has really installed; it is written last, so a broken install has none. */
function isCurrent() {
  const installedFile = join(root, 'node_modules', '.package-lock.json');
  if (!existsSync(installedFile) || !existsSync(nodeToLink())) return false;
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
