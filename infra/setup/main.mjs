import { abandonEverything } from './command.mjs';
import { provideGoTools } from './go-tools.mjs';
import { waitForTurn } from './lock.mjs';
import { installNodePackages } from './node-packages.mjs';
import { lockFile } from './places.mjs';
import { describeSystem, whatIsMissing } from './preflight.mjs';
import { Problem } from './problem.mjs';
import { runSteps } from './progress.mjs';
import { fetchPython, findPython, hasPythonEnvironment, installPythonEnvironment } from './python.mjs';

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

const startMs = performance.now();
try {
  console.log(`Set-up on ${describeSystem()}`);
} catch (error) {
  giveUp([{ name: 'Set-up', error }]);
}
const missing = whatIsMissing({ isWorkerOnly });
if (missing.length > 0) giveUp(missing.map((error) => ({ name: 'Missing', error })));
await waitForTurn(lockFile, (holder) => {
  console.log(`  waiting for the set-up of this checkout by process ${holder} (if that is none, remove ${lockFile})`);
});
const steps = [
  { name: 'Node packages', run: installNodePackages },
  { name: 'Python environment', run: installPythonEnvironment },
  ...(isWorkerOnly ? [] : [{ name: 'Temporal, S3 server', run: provideGoTools }]),
];
// A Python that must be fetched, and perhaps cannot, goes before what takes minutes.
const python = { name: 'Python', run: fetchPython };
const needsPython = !hasPythonEnvironment() && findPython() === undefined;
const failures = await runSteps(
  needsPython ? [python, ...steps.map((step) => ({ ...step, after: ['Python'] }))] : steps,
);
if (failures.length > 0) giveUp(failures);
console.log(`Set-up done in ${((performance.now() - startMs) / 1000).toFixed(1)} s.\n`);

/** @param {readonly { name: string, error: unknown }[]} failures @returns {never} */
function giveUp(failures) {
  for (const { name, error } of failures) {
    console.error(`\n${name}: ${error instanceof Error ? error.message : String(error)}`);
    console.error(error instanceof Problem ? `  Fix: ${error.fix}` : error instanceof Error ? error.stack : '');
  }
  abandonEverything();
  process.exit(1);
}
