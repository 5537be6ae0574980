import { applyDotEnv } from '../config/dot-env.ts';
import { useProxies } from '../config/proxy.ts';
import { exitCodes } from './exit-codes.ts';
import { processContext } from './process-context.ts';
import { runCommand } from './program.ts';

const ignored = applyDotEnv(process.env);
if (ignored !== null) process.stderr.write(`${ignored}\n`);
try {
  useProxies(process.env);
} catch (error) {
  process.stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(exitCodes.badInput);
}

// A reader that closes the pipe early (`| head`) is no fault of this command.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

process.exitCode = await runCommand(process.argv.slice(2), processContext(process.env));
