import { createReadStream } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Recipe } from '../../config/recipe.ts';
import type { AttributeJob, GenerateJob } from '../../config/trainer-job.ts';
import type { BudgetRoom } from '../../domain/budget.ts';
import type { Scope } from '../contract.ts';
import { writeWhole } from '../store/files.ts';
import { linesOf } from '../store/lines.ts';
import { scopeFolder } from '../training/gpu-deps.ts';
import type { GpuDeps } from '../training/gpu-deps.ts';
import { failureOfJob } from '../training/job-failure.ts';
import { runOnServer } from '../training/run-job.ts';
import { failureOfStop, supervise } from '../training/supervision.ts';
import { openMeter } from './rows-meter.ts';

/** A job that makes one row of each row it is given, and goes on with what an interrupted one left in its folder. */
export type RowsTask<Row> = {
  scope: Scope;
  recipe: Recipe;
  kind: 'generate' | 'attribute';
  /** Of the activity's input. */
  budget: BudgetRoom | undefined;
  /** Rows that the trainer takes at once. */
  batchSize: number;
  /** What people see while it runs. */
  label: string;
  /** Name of its folder on this host; it must name everything that the rows depend on. */
  folder: string;
  /** Of a line of the output file. */
  parse: (line: string) => Row;
  prepare: (folder: string) => Promise<{ job: GenerateJob | AttributeJob; input: { file: string; lines: string } }>;
};

/**
 * Runs it to its end.
 *
 * @returns rows in the order of the input
 * @throws as `train`
 */
export async function runRowsJob<Row>(
  deps: GpuDeps,
  task: RowsTask<Row>,
): Promise<{ outputs: Row[]; gpuSeconds: number }> {
  const supervision = supervise(task.kind, task.label, deps.notice);
  const log = deps.log.child({ run: task.scope.run, phase: task.scope.phase, attempt: task.scope.attempt });
  try {
    const meter = await openMeter(deps, task, supervision);
    meter.demandRoom();
    const folder = join(scopeFolder(deps, task.scope), task.folder);
    await mkdir(folder, { recursive: true });
    const { job, input } = await task.prepare(folder);
    await writeWhole(input.file, input.lines);
    const jobFile = join(folder, 'job.json');
    await writeWhole(jobFile, JSON.stringify(job, null, 2));
    // Its start is no GPU time.
    await deps.trainer.socket();
    const early = supervision.reason();
    if (early !== null) throw failureOfStop(early, null);
    return await meter.during(async () => {
      const outcome = await runOnServer(deps.trainer, jobFile, {
        onEvent: (event) => {
          meter.seen(event);
          if (event.event === 'generated') {
            const { done, total, tokensPerSecond } = event;
            supervision.report({ done, total, tokensPerSecond });
          } else if (event.event === 'warning') log.warn(`trainer: ${event.message}`, { code: event.code });
        },
        ...{ stop: supervision.stop, kill: supervision.kill, graceMs: deps.graceMs },
        stallMs: task.recipe.reliability.stallSeconds * 1000,
      });
      const gpuSeconds = meter.gpuSeconds();
      const reason = supervision.reason();
      if (outcome.code !== 0) throw reason === null ? failureOfJob(outcome, []) : failureOfStop(reason, null);
      const outputs = await readRows(job.outputFile, task.parse);
      log.info(`${task.kind}d ${outputs.length} rows: ${task.label}`, { seconds: outcome.seconds });
      if (!deps.keepWork) await rm(folder, { recursive: true, force: true });
      return { outputs, gpuSeconds };
    });
  } finally {
    supervision.finish();
  }
}

async function readRows<Row>(path: string, parse: (line: string) => Row): Promise<Row[]> {
  const rows: Row[] = [];
  for await (const line of linesOf(createReadStream(path))) if (line.trim() !== '') rows.push(parse(line));
  return rows;
}
