import { follow } from '../watch/follow.ts';
import { withProgrammes } from './command.ts';
import type { AddCommand } from './command.ts';
import { intervalOption, jsonOption } from './options.ts';

/** `ratchet watch`: follows a run that goes on, or shows how it ended. */
export const addWatch: AddCommand = (program, context, exit) => {
  program
    .command('watch')
    .description('follow a run: phase, step, loss, tokens/s, ETA, gates, money')
    .argument('<run>', 'name of the run')
    .option('--decide', 'ask on the terminal when a gate waits')
    .option('--wait', 'go on watching while a gate waits for somebody else')
    .addOption(jsonOption())
    .addOption(intervalOption())
    .addHelpText(
      'after',
      `
On a terminal the view is redrawn in place; elsewhere there is a line per change, with --json a JSON object per line.
Ctrl-C ends watching, never the run.

Examples:
  ratchet watch demo-20260301-101500
  ratchet watch demo-20260301-101500 --decide
  ratchet watch demo-20260301-101500 --json | jq -r 'select(.kind == "gate") | .text'
`,
    )
    .action(async (run: string, options: { decide?: boolean; wait?: boolean; json?: boolean; interval: number }) => {
      const { interactive } = context.terminal;
      const ask = (options.decide ?? false) && interactive && !options.json;
      const wait = options.wait ?? interactive;
      exit(
        await withProgrammes(context, (programmes) =>
          follow(context, programmes, run, {
            started: false,
            json: options.json ?? false,
            ask,
            wait,
            intervalMs: options.interval * 1000,
          }),
        ),
      );
    });
};
