import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createTrainerServer } from '../activities/training/trainer-server.ts';
import { runJob } from '../activities/training/run-job.ts';
import type { JobOutcome } from '../activities/training/run-job.ts';
import { createLog } from '../activities/logging.ts';
import type { TrainerEvent, TrainerJob } from '../config/trainer-job.ts';

const never = new AbortController().signal;

/** A warm trainer, without workers, workflows or S3 around it: what everything else is measured against. */
export async function startBareTrainer(python: string, preload: string) {
  const trainer = createTrainerServer({ python, preload, log: createLog({ service: 'bench', level: 'error' }) });
  await trainer.socket();
  return {
    /** Runs a job file as it is. @throws the trainer's own message when it does not end well */
    async run(jobFile: string, onEvent: (event: TrainerEvent) => void = () => undefined): Promise<JobOutcome> {
      const limits = { stop: never, kill: never, graceMs: 0, stallMs: 600_000 };
      const outcome = await runJob(await trainer.socket(), jobFile, { onEvent, ...limits });
      if (outcome.code !== 0) throw new Error(`${jobFile}: ${outcome.error?.message ?? `exit code ${outcome.code}`}`);
      return outcome;
    },
    stop: () => trainer.stop(),
  };
}

/** The same job with a folder of its own for what it makes. @returns path of the copy */
export async function copyJob(jobFile: string, folder: string): Promise<string> {
  const job = JSON.parse(await readFile(jobFile, 'utf8')) as TrainerJob;
  job.outputDir = join(folder, 'out');
  if ('outputFile' in job) job.outputFile = join(folder, 'out', 'outputs.jsonl');
  else job.checkpointing = { ...job.checkpointing, directory: join(folder, 'checkpoints') };
  const copy = join(folder, 'job.json');
  await writeFile(copy, JSON.stringify(job));
  return copy;
}
