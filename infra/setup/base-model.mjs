import { existsSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { partialOf, runLogged } from './command.mjs';
import { contentHash, isStamped, logFile, root, writeWhole } from './places.mjs';
import { explainFailure } from './problem.mjs';

/** Python source that the tiny base is a function of; a change rebuilds it. */
const BUILDER = join(root, 'trainer', 'src', 'ratchet_trainer', 'tiny');

/**
 * The tiny base model of the `demo` recipe, made by a script of the trainer (same seed, same bytes).
 *
 * @type {import('./progress.mjs').Step['run']}
 */
export async function buildTinyBase(say) {
  const target = join(root, '.ratchet', 'models', 'tiny');
  const stamp = join(target, '.ratchet-stamp');
  const key = contentHash(builderFiles());
  if (isStamped(stamp, key)) return 'in place';
  say('training the tiny base model');
  const partial = partialOf(target);
  const python = join(root, 'trainer', '.venv', 'bin', 'python');
  const result = await runLogged(python, ['-m', 'ratchet_trainer.tiny', 'build', '--out', partial], {
    cwd: root,
    logFile: logFile('tiny'),
  });
  if (!result.ok) throw explainFailure('python -m ratchet_trainer.tiny build', 'nothing: it needs no network', result);
  writeWhole(join(partial, '.ratchet-stamp'), key);
  rmSync(target, { recursive: true, force: true });
  renameSync(partial, target);
  return 'trained into .ratchet/models/tiny';
}

function builderFiles() {
  if (!existsSync(BUILDER)) return [`${BUILDER}.py`];
  return readdirSync(BUILDER)
    .filter((name) => name.endsWith('.py'))
    .sort()
    .map((name) => join(BUILDER, name));
}
