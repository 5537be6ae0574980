import { InvalidArgumentError } from 'commander';
import { planAblation } from '../../config/ablation.ts';
import type { AblationPlan } from '../../config/ablation.ts';
import { isDryRun } from '../../config/overrides.ts';
import { armNames, defaultArms } from '../../domain/ablation.ts';
import type { AblationStart, ArmName } from '../../domain/ablation.ts';
import { duration, count, usd } from '../../activities/reports/quantities.ts';
import { stackSettings } from '../../infra/embedded/index.ts';
import { stagesWords } from '../ablation-text.ts';
import type { Context } from '../context.ts';
import { exitCodes } from '../exit-codes.ts';
import type { ExitCode } from '../exit-codes.ts';
import { checkedRunName, runName, startInput } from '../start-input.ts';
import type { Paint } from '../terminal.ts';
import { paintFor } from '../terminal.ts';
import { printJson, printLines } from './command.ts';
import type { AddCommand } from './command.ts';
import { collect, followOptions, oneOf } from './options.ts';
import type { FollowOptions } from './options.ts';
import { startAndFollow } from './run.ts';

type Options = FollowOptions & {
  set?: string[];
  from?: string;
  arms?: ArmName[];
  seeds?: number;
  id?: string;
  dryRun?: boolean;
};

const mostSeeds = 10;

/** `ratchet ablate`: which part of the DPO schedule helps. */
export const addAblate: AddCommand = (program, context, exit) => {
  followOptions(
    program
      .command('ablate')
      .description('train plain DPO and each change to it from one adapter, and compare them')
      .argument('<recipe>', 'name of a recipe (see: ratchet recipes) or path of a YAML file')
      .option('--from <run>', 'take data, drafts, responses and the adapter before Phase C from an older run')
      .option('--arms <names>', `of ${armNames.join(', ')} (default: ${defaultArms.join(',')})`, armList)
      .option('--seeds <n>', 'train every arm so often, with a seed of its own each time', seedCount)
      .option('--set <field=value>', 'set a field of the recipe; may be repeated', collect)
      .option('--id <name>', 'name of the run (default: ablate, recipe and time)')
      .option('--dry-run', 'print the arms and the cost; start and spend nothing (also: DRY_RUN=True)'),
  )
    .addHelpText(
      'after',
      `
Without --from Phases A and B are run first and take what their gates recommend. No arm is promoted.

Examples:
  ratchet ablate demo                                  minutes on two CPU cores
  ratchet ablate demo --from demo-20260301-101500 --arms plain,cal,cal-published --seeds 3
  ratchet ablate strategyqa-phi35 --from RUN --dry-run what it would train and cost
`,
    )
    .action(async (recipe: string, options: Options) => {
      exit(await ablate(context, recipe, options));
    });
};

async function ablate(context: Context, recipe: string, options: Options): Promise<ExitCode> {
  const { set, from, arms, seeds } = options;
  const { start, loaded } = startInput(recipe, set ? { set } : {}, context.env);
  const name =
    options.id === undefined ? runName(`ablate-${loaded.recipe.name}`, context.now()) : checkedRunName(options.id);
  const input: AblationStart = {
    recipe: start.recipe,
    ...(start.overrides && { overrides: start.overrides }),
    ...(from !== undefined && { from: { run: from } }),
    ...(arms && { arms }),
    ...(seeds !== undefined && { seeds }),
  };
  const simulated = stackSettings(context.env).embedded.teacher;
  const plan = planAblation(loaded.recipe, input, simulated);
  if (options.dryRun || isDryRun(context.env)) {
    if (options.json) printJson(context, { dryRun: true, ...plan, teacherSimulated: simulated });
    else printLines(context, planText(plan, input, paintFor(context.terminal.colour)));
    return exitCodes.ok;
  }
  return startAndFollow(context, (programmes) => programmes.startAblation(name, input), name, options);
}

function planText({ arms, estimate }: AblationPlan, { from }: AblationStart, paint: Paint): string[] {
  const before = from === undefined ? 'Phases A and B first, as their gates recommend' : `from ${from.run}`;
  return [
    paint.soft('Dry run: nothing is started, called or spent.'),
    ...arms.map(
      ({ name, seed, stages }) => `${paint.strong(name.padEnd(13))} seed ${String(seed)}: ${stagesWords(stages)}`,
    ),
    `${String(arms.length)} trainings, ${before}; ${duration(estimate.gpuHours * 3600)} of device time planned, ${count(estimate.teacherCalls)} teacher calls, ${usd(estimate.totalUsd)}`,
  ];
}

const armList = (text: string): ArmName[] => text.split(',').map((name) => oneOf(armNames)(name.trim()));

function seedCount(text: string): number {
  const seeds = Number(text);
  if (!Number.isInteger(seeds) || seeds < 1 || seeds > mostSeeds)
    throw new InvalidArgumentError(`expected a whole number from 1 to ${String(mostSeeds)}.`);
  return seeds;
}
