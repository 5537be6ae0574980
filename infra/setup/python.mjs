import { existsSync, mkdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { ask, partialOf, runLogged } from './command.mjs';
import { contentHash, isStamped, logFile, root, toolCache, writeWhole } from './places.mjs';
import { Problem, explainFailure } from './problem.mjs';

/** Version of uv that is installed where none is on the PATH. */
const UV_VERSION = '0.13.8';
const OLDEST_FITTING_UV = [0, 8];

/**
 * The trainer's environment, exactly as trainer/uv.lock says.
 *
 * @type {import('./progress.mjs').Step['run']}
 */
export async function installPythonEnvironment(say) {
  const trainer = join(root, 'trainer');
  const venv = join(trainer, '.venv');
  const stamp = join(venv, '.ratchet-stamp');
  const choice = trainerChoice();
  const key = contentHash([join(trainer, 'uv.lock'), join(trainer, 'pyproject.toml')], choice);
  if (isStamped(stamp, key) && existsSync(join(venv, 'bin', 'python'))) return 'in place';
  const python = findPython();
  say('uv');
  const uv = await findOrInstallUv(python);
  say('uv sync');
  const environment = { ...process.env, UV_PYTHON: python, UV_PYTHON_DOWNLOADS: 'never' };
  // A virtual environment that happens to be active is not the trainer's.
  delete environment.VIRTUAL_ENV;
  delete environment.UV_PROJECT_ENVIRONMENT;
  const result = await runLogged(uv, ['sync', '--frozen', '--no-progress', ...choice], {
    cwd: trainer,
    env: environment,
    logFile: logFile('python'),
  });
  if (!result.ok) throw explainFailure('uv sync', 'the Python package index', result);
  writeWhole(stamp, key);
  return 'uv sync into trainer/.venv';
}

/** RATCHET_TRAINER_EXTRAS: extras of trainer/pyproject.toml, apart by spaces; `vllm` cannot live with the test tools. */
function trainerChoice() {
  const extras = (process.env['RATCHET_TRAINER_EXTRAS'] ?? '').split(/[ ,]+/).filter((extra) => extra !== '');
  return [...(extras.includes('vllm') ? ['--no-dev'] : []), ...extras.flatMap((extra) => ['--extra', extra])];
}

/** @returns {string} path of a Python 3.11 */
export function findPython() {
  const probe = 'import sys; print(sys.executable if sys.version_info[:2] == (3, 11) else "")';
  for (const name of ['python3.11', 'python3', 'python']) {
    const path = ask(name, ['-c', probe]);
    if (path) return path;
  }
  throw new Problem(
    'Python 3.11 is missing: no python3.11, python3 or python on the PATH is one.',
    'Debian, Ubuntu: apt-get install python3.11 python3.11-venv · Fedora: dnf install python3.11 · ' +
      'macOS: brew install python@3.11 · anywhere: pyenv install 3.11 && pyenv shell 3.11',
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
      'Debian, Ubuntu: apt-get install python3.11-venv',
    );
  }
  const args = ['-m', 'pip', 'install', '--disable-pip-version-check', requirement];
  const installed = await runLogged(join(partial, 'bin', 'python'), args, { logFile: log });
  if (!installed.ok) throw explainFailure(`pip install ${requirement}`, 'the Python package index', installed);
  renameSync(partial, target);
  return target;
}

/** @param {string} python */
export async function findOrInstallUv(python) {
  const [, major, minor] = /^uv (\d+)\.(\d+)/.exec(ask('uv', ['--version']) ?? '') ?? [];
  if (major !== undefined && minor !== undefined) {
    const [wantedMajor = 0, wantedMinor = 0] = OLDEST_FITTING_UV;
    if (Number(major) > wantedMajor || (Number(major) === wantedMajor && Number(minor) >= wantedMinor)) return 'uv';
  }
  return join(await installFromPyPi(python, `uv==${UV_VERSION}`), 'bin', 'uv');
}
