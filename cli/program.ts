import { Command, CommanderError } from 'commander';
import type { Context } from './context.ts';
import { addAblate } from './commands/ablate.ts';
import { addCancel } from './commands/cancel.ts';
import { addDecide, addGates } from './commands/gates.ts';
import { addLineage } from './commands/lineage.ts';
import { addRecipes, addValidate } from './commands/recipes.ts';
import { addReport } from './commands/report.ts';
import { addResume } from './commands/resume.ts';
import { addRun } from './commands/run.ts';
import { addDoctor, addDown, addUp } from './commands/stack.ts';
import { addStatus } from './commands/status.ts';
import { addSweep } from './commands/sweep.ts';
import { addWatch } from './commands/watch.ts';
import { exitCodes } from './exit-codes.ts';
import type { ExitCode } from './exit-codes.ts';
import { asProblem } from './problem.ts';
import { paintFor } from './terminal.ts';
import { versionText } from './version.ts';

const commands = [
  addRun,
  addAblate,
  addWatch,
  addStatus,
  addGates,
  addDecide,
  addCancel,
  addResume,
  addReport,
  addSweep,
  addLineage,
  addRecipes,
  addValidate,
  addUp,
  addDown,
  addDoctor,
];

const exitHelp = `
Exit codes: 0 ok · 1 fault of ratchet · 2 wrong input or refused decision · 3 run failed · 4 run stopped at a gate or
cancelled · 5 waiting at a gate, no terminal to ask on · 6 Temporal or S3 cannot be reached · 130 Ctrl-C (the run goes on)

Embedded unless TEMPORAL_ADDRESS (or TEMPORAL_PROFILE) names a server. Settings come from the environment and .env.

Examples:
  ratchet run demo            a whole programme on this machine, in minutes
  ratchet status              all runs
  ratchet doctor              what is missing, and how to fix it
`;

/**
 * Runs one command line.
 *
 * @param args without the program's own name
 * @returns what to exit with; nothing is thrown
 */
export async function runCommand(args: readonly string[], context: Context): Promise<ExitCode> {
  let code: ExitCode = exitCodes.ok;
  const { terminal } = context;
  const program = new Command('ratchet')
    .description('Durable post-training programmes: a phase becomes the new base only when its gate passes.')
    .addHelpText('after', exitHelp)
    .option('-V, --version', 'which ratchet this is: version, commit of a checkout, Node')
    .on('option:version', () => {
      terminal.out(`${versionText()}\n`);
      throw new CommanderError(0, 'commander.version', '');
    })
    .exitOverride()
    .showSuggestionAfterError()
    .configureOutput({
      writeOut: terminal.out,
      writeErr: terminal.err,
      getOutHelpWidth: terminal.columns,
      getErrHelpWidth: terminal.columns,
    });
  for (const add of commands)
    add(program, context, (exit) => {
      code = exit;
    });
  try {
    if (args.length === 0) {
      program.outputHelp();
      return exitCodes.ok;
    }
    await program.parseAsync([...args], { from: 'user' });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.badInput;
    return report(error, context, args.includes('--json'));
  }
}

function report(error: unknown, { terminal }: Context, json: boolean): ExitCode {
  const { message, fix, exitCode } = asProblem(error);
  if (json) terminal.err(`${JSON.stringify({ error: { exitCode, message, fix } })}\n`);
  else terminal.err(`${paintFor(terminal.colour).bad('error:')} ${message}${fix === '' ? '' : `\n  Fix: ${fix}`}\n`);
  return exitCode;
}
