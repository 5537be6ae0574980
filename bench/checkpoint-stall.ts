import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { commitCheckpoint } from '../activities/checkpoints/checkpoints.ts';
import { openLease } from '../activities/checkpoints/lease.ts';
import { createUploadQueue } from '../activities/checkpoints/upload-queue.ts';
import type { Saved } from '../activities/checkpoints/upload-queue.ts';
import { createLog } from '../activities/logging.ts';
import type { Store } from '../activities/store/store.ts';
import type { SftJob, TrainerEvent } from '../config/trainer-job.ts';
import { projectRoot, readEnvironment } from '../config/environment.ts';
import { Recipe } from '../config/recipe.ts';
import { startTestS3 } from '../test/setup/s3.ts';
import { startBareTrainer } from './trainer-jobs.ts';

export const about = 'step time with a checkpoint of 200 MB every 10 steps, uploaded meanwhile, against none';

const everySteps = Recipe.parse({ name: 'bench', description: 'bench' }).phaseA.checkpointEverySteps;
/** One checkpoint at step 10, and two more steps beside which its upload may go on. */
const steps = everySteps + 2;
const rowsPerStep = 16;
/** 18 million trainable numbers, so 12 × 18 = 216 MB of adapter and AdamW state. */
const size = { hidden_size: 1024, intermediate_size: 2816, num_hidden_layers: 7 };
const lora = {
  ...{ r: 128, alpha: 256, dropout: 0.1 },
  targetModules: ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'],
};

type Trainer = Awaited<ReturnType<typeof startBareTrainer>>;
type CheckpointEvent = Extract<TrainerEvent, { event: 'checkpoint' }>;
type Arm = { stepSeconds: number[]; checkpoint: (CheckpointEvent & { bytes: number; uploadSeconds: number }) | null };

/** Pairs of jobs, with and without, in the order ABBAABBA…, so that a drift of the machine counts for both. */
export async function measure(args: string[]): Promise<void> {
  const { values } = parseArgs({ args, options: { pairs: { type: 'string', default: '4' } } });
  const folder = mkdtempSync(join(tmpdir(), 'ratchet-stall-'));
  const base = join(folder, 'base');
  const { python } = readEnvironment();
  const script = join(projectRoot, 'test', 'setup', 'small_base.py');
  await promisify(execFile)(python, [script, base, JSON.stringify(size)]);
  const s3 = await startTestS3();
  const trainer = await startBareTrainer(python, base);
  const store = s3.newStore();
  const pairs: { with: Arm; without: Arm }[] = [];
  try {
    for (let index = 0; index < Number(values.pairs); index += 1) {
      const run = (kind: 'with' | 'without') => runArm(trainer, store, base, join(folder, `${index}-${kind}`), kind);
      const first = index % 2 === 0 ? 'with' : 'without';
      const one = await run(first);
      const other = await run(first === 'with' ? 'without' : 'with');
      const pair = first === 'with' ? { with: one, without: other } : { with: other, without: one };
      pairs.push(pair);
      tellPair(pair);
    }
    tell(pairs);
  } finally {
    await trainer.stop();
    await s3.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** One job, its checkpoint sent to S3 by the worker's own queue; returns when that has ended too. */
async function runArm(trainer: Trainer, store: Store, base: string, folder: string, kind: string): Promise<Arm> {
  const lease = await openLease(store, `bench/${folder.split('/').at(-1) ?? ''}`, 'bench');
  const times: number[] = [];
  const arm: Arm = { stepSeconds: [], checkpoint: null };
  const log = createLog({ service: 'bench', level: 'error' });
  const queue = createUploadQueue({
    commit: async (saved) => {
      const startedAt = performance.now();
      const committed = await commitCheckpoint(store, lease, saved, { keep: 2 });
      if (arm.checkpoint !== null) arm.checkpoint.uploadSeconds = (performance.now() - startedAt) / 1000;
      return committed;
    },
    superseded: (saved: Saved) => void rm(saved.directory, { recursive: true }),
    lost: (reason) => {
      throw reason;
    },
    log,
  });
  await trainer.run(writeJob(folder, base, kind === 'with' ? everySteps : 10 * steps), (event) => {
    if (event.event === 'step') times.push(event.time);
    if (event.event !== 'checkpoint') return;
    const sizes = readdirSync(event.path).map((name) => statSync(join(event.path, name)).size);
    arm.checkpoint = { ...event, bytes: sum(sizes), uploadSeconds: Number.NaN };
    queue.add({ step: event.step, directory: event.path });
  });
  await queue.drain();
  rmSync(folder, { recursive: true });
  // From the end of step 2: the first two also warm up memory and kernels.
  arm.stepSeconds = times.slice(2).map((time, index) => time - (times[index + 1] ?? Number.NaN));
  return arm;
}

function tellPair({ with: on, without: off }: { with: Arm; without: Arm }): void {
  const { checkpoint } = on;
  if (checkpoint === null) throw new Error('no checkpoint was written');
  const { bytes, seconds, writeSeconds, uploadSeconds } = checkpoint;
  console.log(
    `checkpoint ${(bytes / 1e6).toFixed(0)} MB: training waited ${ms(seconds)}, written in ${ms(writeSeconds)}, ` +
      `in S3 after ${ms(uploadSeconds)} more; steps ${list(on.stepSeconds)} s, without ${list(off.stepSeconds)} s`,
  );
}

function tell(pairs: { with: Arm; without: Arm }[]): void {
  const ratios = pairs.map((pair) => mean(pair.with.stepSeconds) / mean(pair.without.stepSeconds));
  const on = mean(pairs.flatMap((pair) => pair.with.stepSeconds));
  const off = mean(pairs.flatMap((pair) => pair.without.stepSeconds));
  console.log(`ratio by pair: ${ratios.map((ratio) => ratio.toFixed(3)).join(' ')}`);
  console.log(`mean step ${on.toFixed(3)} s with, ${off.toFixed(3)} s without`);
  console.log((on / off).toFixed(4));
}

const sum = (values: readonly number[]): number => values.reduce((total, each) => total + each, 0);
const mean = (values: readonly number[]): number => sum(values) / values.length;
const ms = (seconds: number): string => `${(seconds * 1000).toFixed(0)} ms`;
const list = (values: readonly number[]): string => values.map((each) => each.toFixed(2)).join(' ');

function writeJob(folder: string, base: string, every: number): string {
  mkdirSync(folder);
  const trainFile = join(folder, 'train.jsonl');
  const rows = Array.from({ length: steps * rowsPerStep }, (_, index) => ({
    prompt: `Question ${index}: is it so that ${index * 7919} and ${index * 104729} are both odd?`,
    completion: index % 2 === 0 ? ' yes' : ' no',
  }));
  writeFileSync(trainFile, rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  const job: SftJob = {
    version: 1,
    kind: 'sft',
    id: 'bench/checkpoint-stall',
    seed: 42,
    base: { path: base, quantization: 'nf4', dtype: 'float32' },
    outputDir: join(folder, 'out'),
    lora,
    trainFile,
    optimisation: {
      ...{ epochs: 1, batchSize: rowsPerStep, gradientAccumulation: 1, maxLength: 256 },
      ...{ learningRate: 1e-5, warmupShare: 0, scheduler: 'constant', weightDecay: 0, maxGradNorm: 1 },
    },
    packing: false,
    checkpointing: { everySteps: every, directory: join(folder, 'checkpoints') },
    preflight: { maxTruncatedShare: 0 },
    reportTo: [],
  };
  const file = join(folder, 'job.json');
  writeFileSync(file, JSON.stringify(job));
  return file;
}
