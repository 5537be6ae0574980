import { existsSync } from 'node:fs';
import { exitCodes } from '../exit-codes.ts';
import { stateOf } from '../run-state.ts';
import { paintFor } from '../terminal.ts';
import { summary } from '../summary.ts';
import { isOver } from '../watch/state-words.ts';
import { printJson, printLines } from './command.ts';
import type { AddCommand } from './command.ts';
import { jsonOption } from './options.ts';

/** `ratchet report`: where the report is; written anew where this machine has none, or the run goes on. */
export const addReport: AddCommand = (program, context, exit) => {
  program
    .command('report')
    .description('the report of a run: a summary, and where the page is')
    .argument('<run>', 'name of the run; it may still be under way')
    .option('--open-path', "print only the page's path, for your browser")
    .option('--refresh', 'write it anew')
    .addOption(jsonOption())
    .addHelpText(
      'after',
      '\nExamples:\n  ratchet report demo-20260301-101500\n  xdg-open "$(ratchet report demo-20260301-101500 --open-path)"\n',
    )
    .action(async (run: string, options: { openPath?: boolean; refresh?: boolean; json?: boolean }) => {
      const state = await stateOf(context, run);
      const written = state.report !== null && isOver(state.stage) && existsSync(state.report.path) && !options.refresh;
      const path = written && state.report ? state.report.path : await context.writeReport(state);
      if (options.openPath) printLines(context, [path]);
      else if (options.json)
        printJson(context, { run, path, json: path.replace(/html$/u, 'json'), report: state.report });
      else printLines(context, [...summary(state, paintFor(context.terminal.colour)).slice(0, -1), `Report   ${path}`]);
      exit(exitCodes.ok);
    });
};
