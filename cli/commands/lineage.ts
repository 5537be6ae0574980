import type { ProgrammeState } from '../../domain/programme.ts';
import { attemptOf, lineageOf, runOfUri } from '../../domain/lineage.ts';
import type { Context } from '../context.ts';
import { exitCodes } from '../exit-codes.ts';
import { lineageText } from '../lineage-text.ts';
import { badInput } from '../problem.ts';
import { stateOf } from '../run-state.ts';
import { paintFor } from '../terminal.ts';
import { printJson, printLines } from './command.ts';
import type { AddCommand } from './command.ts';
import { jsonOption } from './options.ts';

/** Most older runs followed back; more than anybody chains by `--from`. */
const mostRuns = 20;

/** `ratchet lineage`: from a model back to the rows, responses, verdicts and decisions behind it. */
export const addLineage: AddCommand = (program, context, exit) => {
  program
    .command('lineage')
    .description('what a model came from: data, teacher responses, verdicts, decisions')
    .argument('<model>', 'a run, an attempt of it (RUN/B2), or the URI of an adapter')
    .addOption(jsonOption())
    .addHelpText(
      'after',
      '\nExamples:\n  ratchet lineage demo-20260301-101500\n  ratchet lineage demo-20260301-101500/B2 --json | jq .steps[].decisions\n',
    )
    .action(async (model: string, options: { json?: boolean }) => {
      const { run, name } = named(model);
      const state = await stateOf(context, run);
      const attempt = attemptOf(state, name);
      if (attempt === null && name !== '')
        throw badInput(
          `Run ${run} has no ${name}.`,
          `It has ${state.phases.map(({ phase, attempt: n }) => `${run}/${phase}${String(n)}`).join(', ') || 'no phase yet'}`,
        );
      const lineage = lineageOf(state, attempt, await olderRuns(context, state));
      if (options.json) printJson(context, lineage);
      else printLines(context, lineageText(lineage, paintFor(context.terminal.colour)));
      exit(exitCodes.ok);
    });
};

/** A run and what of it is meant; `''` = its model. */
function named(model: string): { run: string; name: string } {
  if (model.includes('://')) {
    const run = runOfUri(model);
    if (run === null) throw badInput(`${model} is no adapter of a run.`, 'Expected s3://BUCKET/runs/RUN/…');
    return { run, name: model };
  }
  const [, run = model, name = ''] = /^(.*)\/([ABC]\d+)$/u.exec(model) ?? [];
  return { run, name };
}

/** The runs that this one started from, as far as they are still known. */
async function olderRuns(context: Context, state: ProgrammeState): Promise<ProgrammeState[]> {
  const older: ProgrammeState[] = [];
  for (let from = state.from; from && older.length < mostRuns; from = older.at(-1)?.from ?? null) {
    const found = await stateOf(context, from.run).catch(() => null);
    if (found === null) break;
    older.push(found);
  }
  return older;
}
