import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ask, partialOf, runLogged } from './command.mjs';
import { logFile } from './places.mjs';
import { Problem, explainFailure } from './problem.mjs';

/** @typedef {{ why: string, module: string, file: string, replace: string, with: string }} Edit `replace` is there exactly once. */

/** @param {string} folder of a Go module under infra/tools/ @returns {string} where its edits are, if it has any */
export const editsFile = (folder) => join(folder, 'edits.json');

/**
 * Makes copies of modules that go.sum has checked, with the edits of `edits.json`, and a go.mod that names the copies.
 *
 * @param {string} go
 * @param {{ folder: string, target: string, name: string, env: NodeJS.ProcessEnv }} tool `target`: what is to be built
 * @returns {Promise<string[]>} flags for `go build`
 */
export async function editModules(go, { folder, target, name, env }) {
  if (!existsSync(editsFile(folder))) return [];
  const edits = /** @type {Edit[]} */ (JSON.parse(readFileSync(editsFile(folder), 'utf8')));
  const workshop = partialOf(`${target}-source`);
  mkdirSync(workshop, { recursive: true });
  let goMod = readFileSync(join(folder, 'go.mod'), 'utf8');
  for (const module of new Set(edits.map((edit) => edit.module))) {
    const copy = join(workshop, module.replaceAll('/', '-'));
    const log = logFile(`${name}-source`);
    const found = await runLogged(go, ['mod', 'download', '-json', module], { cwd: folder, env, logFile: log });
    if (!found.ok) throw explainFailure(`go mod download ${module}`, 'the Go module proxy', found);
    const { Dir } = JSON.parse(found.output.slice(found.output.indexOf('{')));
    // The module cache is read-only, and so would be its copy.
    if (ask('cp', ['-R', Dir, copy]) === undefined || ask('chmod', ['-R', 'u+w', copy]) === undefined) {
      throw new Problem(`${Dir} cannot be copied to ${copy}.`, 'Look whether the disk is full.');
    }
    for (const edit of edits.filter((one) => one.module === module)) applyEdit(copy, edit);
    goMod += `\nreplace ${module} => ${copy}\n`;
  }
  writeFileSync(join(workshop, 'go.mod'), goMod);
  writeFileSync(join(workshop, 'go.sum'), readFileSync(join(folder, 'go.sum')));
  return [`-modfile=${join(workshop, 'go.mod')}`];
}

/** @param {string} copy @param {Edit} edit */
function applyEdit(copy, edit) {
  const file = join(copy, edit.file);
  const parts = readFileSync(file, 'utf8').split(edit.replace);
  if (parts.length !== 2) {
    throw new Problem(
      `edits.json of ${edit.module} does not fit its version: ${edit.file} has ${parts.length - 1} times ${edit.replace.trim()}`,
      'Bring the edits up to the version in go.mod.',
    );
  }
  writeFileSync(file, parts.join(edit.with));
}
