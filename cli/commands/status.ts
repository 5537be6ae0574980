import { InvalidArgumentError } from 'commander';
import { instant } from '../../activities/reports/quantities.ts';
import { exitCodes } from '../exit-codes.ts';
import type { RunLine } from '../temporal/programmes.ts';
import { paintFor, textTable } from '../terminal.ts';
import type { Paint } from '../terminal.ts';
import { ledgerNow } from '../watch/ledger-now.ts';
import { liveView } from '../watch/live-view.ts';
import { printJson, printLines, withProgrammes } from './command.ts';
import type { AddCommand } from './command.ts';
import { jsonOption } from './options.ts';

/** `ratchet status`: all runs, or where one stands. */
export const addStatus: AddCommand = (program, context, exit) => {
  program
    .command('status')
    .description('where a run stands; without a name: all runs')
    .argument('[run]', 'name of the run')
    .option('--limit <n>', 'runs listed, newest first', atLeastOne, 20)
    .addOption(jsonOption())
    .addHelpText(
      'after',
      '\nExamples:\n  ratchet status\n  ratchet status demo-20260301-101500 --json | jq .promoted\n',
    )
    .action(async (run: string | undefined, options: { json?: boolean; limit: number }) => {
      const paint = paintFor(context.terminal.colour);
      await withProgrammes(context, async (programmes) => {
        if (run === undefined) {
          const runs = await programmes.list(options.limit);
          if (options.json) printJson(context, runs);
          else printLines(context, runList(runs, paint));
          return;
        }
        const snapshot = await programmes.snapshot(run);
        if (options.json)
          printJson(context, { ...snapshot.state, ledger: ledgerNow(snapshot), batches: snapshot.batches });
        else printLines(context, liveView(snapshot, paint));
      });
      exit(exitCodes.ok);
    });
};

function atLeastOne(text: string): number {
  const n = Number(text);
  if (!Number.isInteger(n) || n < 1) throw new InvalidArgumentError('expected a whole number from 1.');
  return n;
}

/** A line per run. Pure. */
export function runList(runs: RunLine[], paint: Paint): string[] {
  if (runs.length === 0) return ['No runs yet. Start one: ratchet run demo'];
  const rows = runs.map(({ run, recipe, status, stage, gate, startedAt }) => {
    const waits = gate === '' || status !== 'running' ? '' : paint.unsure(`waits at Gate ${gate}`);
    return [run, recipe, status === 'running' ? paint.accent(status) : status, stage, instant(startedAt), waits];
  });
  return textTable([['run', 'recipe', 'status', 'stage', 'started', ''].map((title) => paint.soft(title)), ...rows]);
}
