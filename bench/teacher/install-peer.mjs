import { existsSync, mkdirSync, renameSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { partialOf, runLogged } from '../../infra/setup/command.mjs';
import { logFile, toolCache } from '../../infra/setup/places.mjs';
import { findOrInstallUv, findPython } from '../../infra/setup/python.mjs';

/**
 * `node install-peer.mjs REQUIREMENT…`: installs packages of PyPI into an environment of their own in the tool cache, once.
 * It is named after the first.
 * Prints the environment's Python; exit code 1 with the reason where that fails.
 */
const requirements = process.argv.slice(2);
const [requirement = ''] = requirements;
const target = join(dirname(toolCache), 'bench', requirement.replaceAll(/[^\w.-]+/g, '-'));
if (!existsSync(target)) {
  const python = findPython();
  const uv = await findOrInstallUv(python);
  const partial = partialOf(target);
  mkdirSync(dirname(target), { recursive: true });
  for (const args of [
    ['venv', '--relocatable', '--python', python, partial],
    ['pip', 'install', '--python', join(partial, 'bin', 'python'), ...requirements],
  ]) {
    const result = await runLogged(uv, args, { logFile: logFile('bench-peers') });
    if (!result.ok) {
      console.error(`uv ${args[0]} ${requirement}: ${result.output.trim().split('\n').at(-1)}`);
      process.exit(1);
    }
  }
  renameSync(partial, target);
}
console.log(join(target, 'bin', 'python'));
