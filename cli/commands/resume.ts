import type { AddCommand } from './command.ts';
import { followOptions } from './options.ts';
import type { FollowOptions } from './options.ts';
import { startAndFollow } from './run.ts';

/** `ratchet resume`: goes on with a run that failed, once the cause is mended. */
export const addResume: AddCommand = (program, context, exit) => {
  followOptions(
    program
      .command('resume')
      .description('go on with a run that failed, once its cause is mended')
      .argument('<run>', 'name of the run'),
  )
    .addHelpText(
      'after',
      `
What failed is begun again. What was finished before is found, not trained or paid again; a training goes on from its
newest checkpoint. The recipe stays; to change it, repeat a phase: ratchet run RECIPE --from RUN --at phaseB.

Examples:
  ratchet status demo-20260301-101500                  why it failed
  ratchet resume demo-20260301-101500
`,
    )
    .action(async (run: string, options: FollowOptions) => {
      exit(await startAndFollow(context, (programmes) => programmes.resume(run), run, options));
    });
};
