import { Option } from 'commander';
import type { Command } from 'commander';
import { estimateOf } from '../../config/check-recipe.ts';
import { isDryRun } from '../../config/overrides.ts';
import type { Policy } from '../../domain/gate-types.ts';
import { stackSettings } from '../../infra/embedded/index.ts';
import type { Context } from '../context.ts';
import { exitCodes } from '../exit-codes.ts';
import type { ExitCode } from '../exit-codes.ts';
import { planText } from '../plan.ts';
import { badInput } from '../problem.ts';
import { checkedRunName, runName, startInput } from '../start-input.ts';
import type { RecipeOptions } from '../start-input.ts';
import type { Programmes } from '../temporal/programmes.ts';
import { paintFor } from '../terminal.ts';
import { follow } from '../watch/follow.ts';
import { printJson, printLines, withProgrammes } from './command.ts';
import type { AddCommand } from './command.ts';
import { collect, followOptions, oneOf } from './options.ts';
import type { FollowOptions } from './options.ts';

type Options = RecipeOptions & FollowOptions & { dryRun?: boolean; yes?: boolean; id?: string };

const policies: readonly Policy[] = ['manual', 'auto', 'recommended'];

/** `ratchet run`: checks, starts, and follows to the end. */
export const addRun: AddCommand = (program, context, exit) => {
  followOptions(
    program
      .command('run')
      .description('start a programme and follow it')
      .argument('<recipe>', 'name of a recipe (see: ratchet recipes) or path of a YAML file')
      .option('--set <field=value>', 'set a field of the recipe; may be repeated', collect)
      .addOption(
        new Option('--policy <policy>', 'who decides at gates: manual, auto or recommended').argParser(oneOf(policies)),
      )
      .option('-y, --yes', 'take every recommendation: --policy recommended')
      .option('--from <run>', 'start from the data, drafts and models of an older run')
      .addOption(
        new Option('--at <phase>', 'phase to start at, with --from').argParser(
          oneOf(['phaseA', 'phaseB', 'phaseC'] as const),
        ),
      )
      .option('--id <name>', 'name of the run (default: recipe and time)')
      .option('--dry-run', 'print phases, data, gates and cost; start and spend nothing (also: DRY_RUN=True)'),
  )
    .addHelpText(
      'after',
      `
Examples:
  ratchet run demo                                     on a terminal: watch, and decide at the gates
  ratchet run demo --yes                               unattended: take every recommendation
  ratchet run strategyqa-phi35 --dry-run               what it would do and cost
  ratchet run demo --set phaseB.learningRate=1e-4 --set data.samples=100
  ratchet run demo --from demo-20260301-101500 --at phaseB
`,
    )
    .action(async (recipe: string, options: Options, command: Command) => {
      if (options.yes && options.policy !== undefined && options.policy !== 'recommended')
        command.error(`error: --yes and --policy ${options.policy} exclude each other`);
      exit(await run(context, recipe, options.yes ? { ...options, policy: 'recommended' } : options));
    });
};

async function run(context: Context, recipe: string, options: Options): Promise<ExitCode> {
  const { start, loaded } = startInput(recipe, options, context.env);
  const name = options.id === undefined ? runName(loaded.recipe.name, context.now()) : checkedRunName(options.id);
  if (options.dryRun || isDryRun(context.env)) {
    const simulated = stackSettings(context.env).embedded.teacher;
    const estimate = estimateOf(loaded.recipe, simulated);
    if (options.json) printJson(context, { dryRun: true, ...loaded, estimate, teacherSimulated: simulated });
    else printLines(context, planText(loaded, estimate, simulated, paintFor(context.terminal.colour)));
    return exitCodes.ok;
  }
  return startAndFollow(context, (programmes) => programmes.start(name, start), name, options);
}

/** Brings the stack up where it is not, starts a run, and follows it to its end unless `detach` says not to. */
export async function startAndFollow(
  context: Context,
  start: (programmes: Programmes) => Promise<void>,
  name: string,
  options: FollowOptions,
): Promise<ExitCode> {
  const broughtUp = await ensureStack(context);
  try {
    return await withProgrammes(context, async (programmes) => {
      await start(programmes);
      if (options.detach) {
        if (options.json) printJson(context, { run: name, started: true });
        else printLines(context, [`Started ${name}.`, `Watch it: ratchet watch ${name}`]);
        return exitCodes.ok;
      }
      if (!options.json)
        printLines(context, [
          `Run ${name}${context.stack.embedded() ? ` · Temporal's own view: ${context.stack.uiAddress()}` : ''}`,
        ]);
      const ask = context.terminal.interactive && !options.json;
      return follow(context, programmes, name, {
        started: true,
        json: options.json ?? false,
        ask,
        wait: false,
        intervalMs: options.interval * 1000,
      });
    });
  } finally {
    if (broughtUp && options.down && !options.detach) await context.stack.down();
  }
}

/** True when this command brought the stack up. What it says goes to stderr, so that `--json` stays clean. */
async function ensureStack({ stack, terminal }: Context): Promise<boolean> {
  if (!stack.embedded() || stack.isUp()) return false;
  terminal.err('The embedded stack is not up; starting it (TEMPORAL_ADDRESS is not set).\n');
  await stack.upDetached(({ service, kind, text }) => {
    if (kind !== 'starting') terminal.err(`  ${service}: ${text}\n`);
  });
  terminal.err('The stack is up and stays up; ratchet down ends it.\n');
  if (!stack.isUp()) throw badInput('The embedded stack did not come up.', 'See: ratchet doctor');
  return true;
}
