import { applyDotEnv } from '../config/dot-env.ts';
import { processContext } from './process-context.ts';
import { runCommand } from './program.ts';

const ignored = applyDotEnv(process.env);
if (ignored !== null) process.stderr.write(`${ignored}\n`);

// A reader that closes the pipe early (`| head`) is no fault of this command.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

process.exitCode = await runCommand(process.argv.slice(2), processContext(process.env));
