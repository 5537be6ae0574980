// Brings a fresh checkout to where everything runs, and does nothing on one that is there already. Plain JavaScript on
// Node 20 with nothing but its builtins: nothing else is installed yet. `npm start` and `npm test` call it first;
// `--worker` leaves out what only the embedded stack and the demo need.
import { abandonEverything } from './setup/command.mjs';
import { provideGoTools } from './setup/go-tools.mjs';
import { waitForTurn } from './setup/lock.mjs';
import { installNodePackages } from './setup/node-packages.mjs';
import { lockFile } from './setup/places.mjs';
import { Problem } from './setup/problem.mjs';
import { runSteps } from './setup/progress.mjs';
import { installPythonEnvironment } from './setup/python.mjs';

for (const [signal, exitCode] of /** @type {const} */ ([
  ['SIGINT', 130],
  ['SIGTERM', 143],
])) {
  process.on(signal, () => {
    abandonEverything();
    console.error('\nSet-up stopped; what was whole is kept, start again to go on.');
    process.exit(exitCode);
  });
}

// A host that only trains has its servers elsewhere, and its base model from the hub.
const isWorkerOnly = process.argv.includes('--worker');

const startMs = Date.now();
console.log('Set-up');
await waitForTurn(lockFile, (holder) => {
  console.log(`  waiting for the set-up of this checkout by process ${holder} (if that is none, remove ${lockFile})`);
});
const failures = await runSteps([
  { name: 'Node packages', run: installNodePackages },
  { name: 'Python environment', run: installPythonEnvironment },
  ...(isWorkerOnly ? [] : [{ name: 'Temporal, S3 server', run: provideGoTools }]),
]);
for (const { name, error } of failures) {
  console.error(`\n${name}: ${error instanceof Error ? error.message : String(error)}`);
  console.error(error instanceof Problem ? `  Fix: ${error.fix}` : error instanceof Error ? error.stack : '');
}
if (failures.length > 0) {
  abandonEverything();
  process.exit(1);
}
console.log(`Set-up done in ${((Date.now() - startMs) / 1000).toFixed(1)} s.\n`);
