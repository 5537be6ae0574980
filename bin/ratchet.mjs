#!/usr/bin/env node
// Starts the command line on the project's own Node (24, from npm), whatever Node runs this file.
import './node-version.mjs';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(fileURLToPath(import.meta.url), '../..');
const node = join(root, 'node_modules', 'node', 'bin', 'node');
if (!existsSync(node)) {
  console.error(
    `ratchet is not set up yet: node_modules/node/bin/node is missing.\n  Fix: cd ${root} && npm run setup`,
  );
  process.exit(78);
}

const child = spawn(node, [join(root, 'cli', 'main.ts'), ...process.argv.slice(2)], { stdio: 'inherit' });
for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'])) {
  process.on(signal, () => {
    // A Ctrl-C on a terminal reaches the child by itself; passing it on again would make it two.
    if (!(signal === 'SIGINT' && process.stdin.isTTY)) child.kill(signal);
  });
}
child.once('error', (error) => {
  console.error(`ratchet could not be started: ${error.message}`);
  process.exit(71);
});
child.once('exit', (code, signal) => {
  process.exitCode = signal === null ? (code === null ? 1 : code) : 128 + constants.signals[signal];
});
