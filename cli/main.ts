import { join } from 'node:path';
import { config } from 'dotenv';
import { processContext } from './process-context.ts';
import { runCommand } from './program.ts';

// The working directory's own settings go before those of the checkout; what the shell sets goes before both.
config({ path: [join(process.cwd(), '.env'), join(import.meta.dirname, '..', '.env')], quiet: true });

// A reader that closes the pipe early (`| head`) is no fault of this command.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

process.exitCode = await runCommand(process.argv.slice(2), processContext(process.env));
