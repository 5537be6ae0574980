import { exitCodes } from '../exit-codes.ts';
import { printJson, printLines, withProgrammes } from './command.ts';
import type { AddCommand } from './command.ts';
import { jsonOption } from './options.ts';

/** `ratchet cancel`: asks a run to stop; what was checkpointed is kept. */
export const addCancel: AddCommand = (program, context, exit) => {
  program
    .command('cancel')
    .description('stop a run; what was checkpointed is kept')
    .argument('<run>', 'name of the run')
    .addOption(jsonOption())
    .addHelpText('after', '\nExample:\n  ratchet cancel demo-20260301-101500\n')
    .action(async (run: string, options: { json?: boolean }) => {
      await withProgrammes(context, (programmes) => programmes.cancel(run));
      if (options.json) printJson(context, { run, cancelRequested: true });
      else
        printLines(context, [
          `Asked ${run} to stop. Its trainer stops at the next step; checkpoints and artefacts stay under runs/${run}/ in the bucket.`,
          `See it end: ratchet watch ${run}`,
        ]);
      exit(exitCodes.ok);
    });
};
