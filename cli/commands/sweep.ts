import { InvalidArgumentError } from 'commander';
import type { SweepReport } from '../../activities/checkpoints/sweep.ts';
import { bytes, count, instant } from '../../activities/reports/quantities.ts';
import { exitCodes } from '../exit-codes.ts';
import { printJson, printLines } from './command.ts';
import type { AddCommand } from './command.ts';
import { jsonOption } from './options.ts';

type SweepFlags = { run?: string; olderThan: number; checkpoints?: boolean; dryRun?: boolean; json?: boolean };

/** `ratchet sweep`: frees what lost attempts left in the bucket. */
export const addSweep: AddCommand = (program, context, exit) => {
  program
    .command('sweep')
    .description('remove what lost attempts left in the bucket; what a run refers to stays')
    .option('--run <run>', 'only this run; default: all')
    .option('--older-than <age>', 'for what an unfinished training’s newest attempt left', ageOf, ageOf('7d'))
    .option('--checkpoints', 'also the last checkpoint of every finished training; its adapter stays')
    .option('--dry-run', 'say what would go, and do nothing')
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
May run beside programmes, and by a schedule. Multipart uploads that have been open for a day are aborted.

Examples:
  ratchet sweep --dry-run
  ratchet sweep --run demo-20260301-101500 --checkpoints
`,
    )
    .action(async ({ run, olderThan, checkpoints, dryRun, json }: SweepFlags) => {
      const report = await context.sweep({
        ...{ run: run ?? null, olderThanMs: olderThan, now: context.now() },
        ...{ checkpoints: checkpoints ?? false, dryRun: dryRun ?? false },
      });
      if (json) printJson(context, report);
      else printLines(context, sweepText(report));
      exit(exitCodes.ok);
    });
};

const units: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `90m`, `12h`, `7d` in milliseconds. Less than an hour could meet an upload that is still on its way. */
function ageOf(text: string): number {
  const [, number = '', unit = ''] = /^(\d+)([mhd])$/.exec(text) ?? [];
  const ms = Number(number) * (units[unit] ?? NaN);
  if (ms >= 3_600_000) return ms;
  throw new InvalidArgumentError('expected an age of at least an hour, such as 90m, 12h or 7d.');
}

/** A line per folder, and what it makes together. Pure. */
function sweepText({ dryRun, removed, uploads, skipped, ...total }: SweepReport): string[] {
  const did = dryRun ? 'would remove' : 'removed';
  const aborted = dryRun ? 'would abort' : 'aborted';
  return [
    ...removed.map(
      ({ folder, why, ...one }) => `${did} ${folder}: ${count(one.objects)} objects, ${bytes(one.bytes)}, ${why}`,
    ),
    ...uploads.map(
      ({ key, begun }) => `${aborted} the upload of ${key}, begun ${instant(new Date(begun).toISOString())}`,
    ),
    ...skipped.map(({ training, reason }) => `left alone ${training}: ${reason}`),
    `Together ${count(total.objects)} objects, ${bytes(total.bytes)}, and ${count(uploads.length)} open ${uploads.length === 1 ? 'upload' : 'uploads'}.`,
  ];
}
