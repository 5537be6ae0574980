import type { StackEvent } from '../../infra/embedded/index.ts';
import { exitCodes } from '../exit-codes.ts';
import { paintFor, textTable } from '../terminal.ts';
import { printJson, printLines } from './command.ts';
import type { AddCommand } from './command.ts';
import { jsonOption } from './options.ts';

/** `ratchet up`: the embedded stack, held by this command or by a process of its own. */
export const addUp: AddCommand = (program, context, exit) => {
  program
    .command('up')
    .description('start the embedded stack: Temporal, S3, workers, simulated teacher')
    .option('-d, --detach', 'leave it running and return')
    .addOption(jsonOption())
    .addHelpText(
      'after',
      '\nIts state lies in RATCHET_HOME (.ratchet) and survives restarts: runs in flight go on after down and up.\n\nExamples:\n  ratchet up --detach\n  RATCHET_TEMPORAL_PORT=17233 ratchet up\n',
    )
    .action(async (options: { detach?: boolean; json?: boolean }) => {
      const { stack, terminal } = context;
      const tell = ({ service, kind, text }: StackEvent) => {
        if (!options.json) terminal.err(`${service}: ${kind === 'ready' ? 'ready' : text}\n`);
      };
      const ready = () => {
        // A Temporal server of the user's own has its view elsewhere.
        const ui = stack.embedded() ? stack.uiAddress() : null;
        const view = ui === null ? '' : ` Temporal's own view: ${ui}`;
        if (options.json) printJson(context, { up: true, ui, services: stack.services() });
        else
          printLines(context, [
            `The stack is up.${view}${options.detach ? '   End it: ratchet down' : '   Ctrl-C ends it.'}`,
          ]);
      };
      if (options.detach) {
        await stack.upDetached(tell);
        ready();
      } else await stack.upAttached(tell, ready);
      exit(exitCodes.ok);
    });
};

/** `ratchet down`: ends the stack, whoever holds it. */
export const addDown: AddCommand = (program, context, exit) => {
  program
    .command('down')
    .description('stop the embedded stack; runs in flight go on when it is up again')
    .addOption(jsonOption())
    .action(async (options: { json?: boolean }) => {
      const stopped = await context.stack.down();
      if (options.json) printJson(context, { stopped });
      else printLines(context, [stopped.length === 0 ? 'Nothing was running.' : `Stopped: ${stopped.join(', ')}.`]);
      exit(exitCodes.ok);
    });
};

/** `ratchet doctor`: tries everything that a run needs. Exits 6 when something does not work. */
export const addDoctor: AddCommand = (program, context, exit) => {
  program
    .command('doctor')
    .description('try everything that a run needs, and name what is missing with its fix')
    .addOption(jsonOption())
    .action(async (options: { json?: boolean }) => {
      const checks = await context.stack.doctor();
      const paint = paintFor(context.terminal.colour);
      if (options.json) printJson(context, checks);
      else
        printLines(
          context,
          textTable(
            checks.map(({ name, ok, detail, fix }) => [
              ok ? paint.good('✓') : paint.bad('✗'),
              name,
              ok ? detail : `${detail} Fix: ${fix}`,
            ]),
          ),
        );
      exit(checks.every(({ ok }) => ok) ? exitCodes.ok : exitCodes.unreachable);
    });
};
