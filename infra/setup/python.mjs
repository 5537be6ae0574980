import { existsSync, mkdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { ask, partialOf, runLogged } from './command.mjs';
import { contentHash, isStamped, logFile, root, toolCache, writeWhole } from './places.mjs';
import { Problem, explainFailure } from './problem.mjs';

/** Version of uv that is installed where none is on the PATH. */
const UV_VERSION = '0.13.8';
const OLDEST_FITTING_UV = [0, 8];

/** Minor versions of Python 3 that trainer/pyproject.toml and uv.lock allow; the tests run on the first. */
const FITTING_MINORS = [11, 12, 13];
/** What uv fetches where none of them is there. */
const FETCHED_PYTHON = `3.${FITTING_MINORS[0]}`;
/** The oldest that can make a virtual environment and install uv into it. */
const OLDEST_FOR_UV = [3, 8];

const trainer = join(root, 'trainer');
const venv = join(trainer, '.venv');
const stamp = join(venv, '.ratchet-stamp');

/** True where the trainer's environment is as trainer/uv.lock and RATCHET_TRAINER_EXTRAS say. */
export function hasPythonEnvironment() {
  return isStamped(stamp, environmentKey()) && existsSync(join(venv, 'bin', 'python'));
}

function environmentKey() {
  return contentHash([join(trainer, 'uv.lock'), join(trainer, 'pyproject.toml')], trainerChoice());
}

/**
 * The trainer's environment, exactly as trainer/uv.lock says.
 *
 * @type {import('./progress.mjs').Step['run']}
 */
export async function installPythonEnvironment(say) {
  if (hasPythonEnvironment()) return 'in place';
  const python = findPython() ?? (await fetchPython(say));
  say('uv');
  const uv = await findOrInstallUv(python);
  say('uv sync');
  const environment = { ...process.env, UV_PYTHON: python, UV_PYTHON_DOWNLOADS: 'never' };
  // A virtual environment that happens to be active is not the trainer's.
  delete environment.VIRTUAL_ENV;
  delete environment.UV_PROJECT_ENVIRONMENT;
  const result = await runLogged(uv, ['sync', '--frozen', '--no-progress', ...trainerChoice()], {
    cwd: trainer,
    env: environment,
    logFile: logFile('python'),
  });
  if (!result.ok) throw explainFailure('uv sync', 'the Python package index', result);
  writeWhole(stamp, environmentKey());
  const version = ask(join(venv, 'bin', 'python'), ['-c', 'import platform; print(platform.python_version())']);
  return `uv sync into trainer/.venv, Python ${version ?? '?'}`;
}

/** RATCHET_TRAINER_EXTRAS: extras of trainer/pyproject.toml, apart by spaces; `vllm` cannot live with the test tools. */
function trainerChoice() {
  const extras = (process.env['RATCHET_TRAINER_EXTRAS'] ?? '').split(/[ ,]+/).filter((extra) => extra !== '');
  return [...(extras.includes('vllm') ? ['--no-dev'] : []), ...extras.flatMap((extra) => ['--extra', extra])];
}

/**
 * A Python for the trainer: on the PATH, or one that uv has fetched before.
 *
 * @returns {string | undefined} its path
 */
export function findPython() {
  const probe = `import sys; print(sys.executable if sys.version_info[0] == 3 and sys.version_info[1] in ${JSON.stringify(FITTING_MINORS)} else "")`;
  const names = [...FITTING_MINORS.map((minor) => `python3.${minor}`), 'python3', 'python'];
  for (const name of names) {
    const path = ask(name, ['-c', probe]);
    if (path) return path;
  }
  const uv = findUv();
  if (uv === undefined) return undefined;
  for (const minor of FITTING_MINORS) {
    const path = ask(uv, ['python', 'find', '--no-project', '--no-python-downloads', `3.${minor}`]);
    if (path) return path;
  }
  return undefined;
}

/**
 * Any Python that can make a virtual environment, to install uv with.
 *
 * @returns {string | undefined} its path
 */
export function findPythonWithVenv() {
  const probe = `import sys, venv, ensurepip; print(sys.executable if sys.version_info[:2] >= (${OLDEST_FOR_UV.join(', ')}) else "")`;
  for (const name of [...FITTING_MINORS.map((minor) => `python3.${minor}`), 'python3', 'python']) {
    const path = ask(name, ['-c', probe]);
    if (path) return path;
  }
  return undefined;
}

/** @returns {Problem} no Python fits, and none can be fetched */
export function pythonIsMissing() {
  const versions = `3.${FITTING_MINORS[0]} to 3.${FITTING_MINORS.at(-1)}`;
  const here = ask('python3', ['-c', 'import platform; print(platform.python_version())']);
  return new Problem(
    `Python ${versions} is missing: ${here ? `python3 is ${here}` : 'no python3 is on the PATH'}.`,
    'Debian, Ubuntu: apt-get install python3 python3-venv · Fedora: dnf install python3.12 · ' +
      'macOS: brew install python@3.12 · anywhere: install uv (https://docs.astral.sh/uv), or pyenv install 3.12 && pyenv shell 3.12',
  );
}

/**
 * @param {string} what it is needed for
 * @returns {Problem} no Python here can make a virtual environment
 */
export function venvIsMissing(what) {
  return new Problem(
    `A Python with its venv module is needed ${what}, and none is on the PATH.`,
    'Debian, Ubuntu: apt-get install python3 python3-venv',
  );
}

/**
 * Has uv download a Python of its own, into uv's own folder.
 *
 * @param {(activity: string) => void} say
 * @returns {Promise<string>} its path
 */
export async function fetchPython(say) {
  say(`Python ${FETCHED_PYTHON} by uv`);
  const uv = await findOrInstallUv(findPythonWithVenv());
  const command = ['python', 'install', '--no-progress', FETCHED_PYTHON];
  const result = await runLogged(uv, command, { logFile: logFile('uv-python') });
  const path = result.ok && ask(uv, ['python', 'find', '--no-project', '--no-python-downloads', FETCHED_PYTHON]);
  if (path) return path;
  const { message, fix } = pythonIsMissing();
  const why = result.output.trimEnd().split('\n').at(-1)?.trim() ?? '';
  throw new Problem(
    `${message} uv could not fetch one either: ${why}`,
    `${fix} · behind a mirror: UV_PYTHON_INSTALL_MIRROR. Log: ${result.logFile}`,
  );
}

/**
 * Installs one PyPI package at one version into a folder of the tool cache.
 *
 * @param {string} python
 * @param {string} requirement e.g. `uv==0.13.8`
 * @returns {Promise<string>} the virtual environment's folder
 */
export async function installFromPyPi(python, requirement) {
  const name = requirement.replace('==', '-');
  const target = join(toolCache, name);
  if (existsSync(target)) return target;
  const partial = partialOf(target);
  mkdirSync(toolCache, { recursive: true });
  const log = logFile(name);
  const made = await runLogged(python, ['-m', 'venv', partial], { logFile: log });
  if (!made.ok) {
    throw new Problem(
      `${python} cannot make a virtual environment: ${made.output.trim().split('\n').at(-1) ?? ''}`,
      'Debian, Ubuntu: apt-get install python3-venv',
    );
  }
  const args = ['-m', 'pip', 'install', '--disable-pip-version-check', requirement];
  const installed = await runLogged(join(partial, 'bin', 'python'), args, { logFile: log });
  if (!installed.ok) throw explainFailure(`pip install ${requirement}`, 'the Python package index', installed);
  renameSync(partial, target);
  return target;
}

/** @returns {string | undefined} `uv` where one that is new enough is on the PATH, or set-up has installed it before */
export function findUv() {
  const [, major, minor] = /^uv (\d+)\.(\d+)/.exec(ask('uv', ['--version']) ?? '') ?? [];
  if (major !== undefined && minor !== undefined) {
    const [wantedMajor = 0, wantedMinor = 0] = OLDEST_FITTING_UV;
    if (Number(major) > wantedMajor || (Number(major) === wantedMajor && Number(minor) >= wantedMinor)) return 'uv';
  }
  const installed = join(toolCache, `uv-${UV_VERSION}`, 'bin', 'uv');
  return existsSync(installed) ? installed : undefined;
}

/** @param {string | undefined} python makes the virtual environment that uv is installed into, where there is no uv yet */
async function findOrInstallUv(python) {
  const found = findUv();
  if (found !== undefined) return found;
  if (python === undefined) throw pythonIsMissing();
  return join(await installFromPyPi(python, `uv==${UV_VERSION}`), 'bin', 'uv');
}
