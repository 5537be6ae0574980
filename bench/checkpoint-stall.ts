import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { availableParallelism, loadavg, tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { commitCheckpoint } from '../activities/checkpoints/checkpoints.ts';
import { openLease } from '../activities/checkpoints/lease.ts';
import { createUploadQueue } from '../activities/checkpoints/upload-queue.ts';
import { createLog } from '../activities/logging.ts';
import type { Store } from '../activities/store/store.ts';
import type { SftJob, TrainerEvent } from '../config/trainer-job.ts';
import { projectRoot, readEnvironment } from '../config/environment.ts';
import { startTestS3 } from '../test/setup/s3.ts';
import { startBareTrainer } from './trainer-jobs.ts';

export const about = 'step time with a checkpoint of 200 MB every 10 steps, uploaded meanwhile, against none';

/** More often than `auto` would at steps of 5 s, so that a few minutes show what one checkpoint takes. */
const everySteps = 10;
/** One checkpoint at step 10, and two more steps beside which its upload may go on. */
const steps = everySteps + 2;
/** About 5 s a step on one core, as long as 32 rows may take a model of some billion parameters on a GPU. */
const rowsPerStep = 16;
/** 18 million trainable numbers, so 12 × 18 = 216 MB of adapter and AdamW state. */
const size = { hidden_size: 1024, intermediate_size: 2816, num_hidden_layers: 7 };
const lora = {
  ...{ r: 128, alpha: 256, dropout: 0.1 },
  targetModules: ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'],
};

type Place = {
  trainer: Awaited<ReturnType<typeof startBareTrainer>>;
  store: Store;
  s3Pid: number;
  base: string;
};
type CheckpointEvent = Extract<TrainerEvent, { event: 'checkpoint' }>;
/** When a step ended, and the CPU seconds that the training thread had then used. */
type Clock = { time: number; cpu: number };
type Arm = {
  clocks: Clock[];
  /** CPU seconds beside the training thread: writing, the worker's hashing and upload, the S3 server. */
  beside: { writer: number; worker: number; s3: number };
  checkpoint: (CheckpointEvent & { bytes: number; uploadSeconds: number }) | null;
};

type Pair = { with: Arm; without: Arm };

/** Pairs of jobs, with and without, in the order ABBAABBA…, so that a drift of the machine counts for both. */
export async function measure(args: string[]): Promise<void> {
  const { values } = parseArgs({ args, options: { pairs: { type: 'string', default: '2' } } });
  process.env['RATCHET_TRAINER_THREADS'] = '1';
  const folder = mkdtempSync(join(tmpdir(), 'ratchet-stall-'));
  try {
    tell(await runPairs(folder, Number(values.pairs)));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function runPairs(folder: string, count: number): Promise<Pair[]> {
  const base = join(folder, 'base');
  const { python } = readEnvironment();
  const script = join(projectRoot, 'test', 'setup', 'small_base.py');
  await promisify(execFile)(python, [script, base, JSON.stringify(size)]);
  const s3 = await startTestS3();
  const trainer = await startBareTrainer(python, base);
  try {
    const place = { trainer, store: s3.newStore(), s3Pid: s3.pid(), base };
    const pairs: Pair[] = [];
    for (let index = 0; index < count; index += 1) {
      const order: (keyof Pair)[] = index % 2 === 0 ? ['with', 'without'] : ['without', 'with'];
      const arms = new Map<keyof Pair, Arm>();
      for (const kind of order) arms.set(kind, await runArm(place, join(folder, `${index}-${kind}`), kind));
      const pair = Object.fromEntries(arms) as Pair;
      pairs.push(pair);
      tellPair(pair);
    }
    return pairs;
  } finally {
    await trainer.stop();
    await s3.stop();
  }
}

/** One job, its checkpoint sent to S3 by the worker's own queue; returns when that has ended too. */
async function runArm(place: Place, folder: string, kind: string): Promise<Arm> {
  const { store, s3Pid } = place;
  const lease = await openLease(store, `bench/${basename(folder)}`, 'bench');
  const clocks: Clock[] = [];
  let checkpoint: Arm['checkpoint'] = null;
  const queue = createUploadQueue({
    commit: async (saved) => {
      const startedAt = performance.now();
      const committed = await commitCheckpoint(store, lease, saved, { keep: 2 });
      if (checkpoint !== null) checkpoint.uploadSeconds = (performance.now() - startedAt) / 1000;
      return committed;
    },
    superseded: (saved) => void rm(saved.directory, { recursive: true }),
    lost: (reason) => {
      throw reason;
    },
    log: createLog({ service: 'bench', level: 'error' }),
  });
  const before = { worker: ownCpu(), s3: cpuOf(s3Pid) };
  let pid = 0;
  let writer = 0;
  const jobFile = writeJob(folder, place.base, kind === 'with' ? everySteps : 10 * steps);
  await place.trainer.run(jobFile, (event) => {
    if (event.event === 'started') pid = event.pid;
    if (event.event === 'step') {
      clocks.push({ time: event.time, cpu: cpuOfThread(pid, pid) });
      writer = cpuOf(pid) - cpuOfThread(pid, pid);
    }
    if (event.event !== 'checkpoint') return;
    const sizes = readdirSync(event.path).map((name) => statSync(join(event.path, name)).size);
    checkpoint = { ...event, bytes: sum(sizes), uploadSeconds: Number.NaN };
    queue.add({ step: event.step, directory: event.path });
  });
  await queue.drain();
  rmSync(folder, { recursive: true });
  const beside = { writer, worker: ownCpu() - before.worker, s3: cpuOf(s3Pid) - before.s3 };
  // From the end of step 2: the first two also warm up memory and kernels.
  return { clocks: clocks.slice(1), beside, checkpoint };
}

/** CPU seconds of a thread, to the nanosecond (schedstat). */
const cpuOfThread = (pid: number, thread: number | string): number =>
  Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]) / 1e9;

/** CPU seconds of all threads of a process. */
const cpuOf = (pid: number): number => sum(readdirSync(`/proc/${pid}/task`).map((thread) => cpuOfThread(pid, thread)));

function ownCpu(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

function tellPair({ with: on, without: off }: Pair): void {
  if (on.checkpoint === null) throw new Error('no checkpoint was written');
  const { bytes, seconds, writeSeconds, uploadSeconds } = on.checkpoint;
  const beside = (who: keyof Arm['beside']): string => `${who} ${(on.beside[who] - off.beside[who]).toFixed(2)}`;
  console.log(
    `${(bytes / 1e6).toFixed(0)} MB: training waited ${ms(seconds)}; written in ${ms(writeSeconds)}, then in S3 in ` +
      `${ms(uploadSeconds)}; CPU seconds beside training: ${beside('writer')}, ${beside('worker')}, ${beside('s3')}`,
  );
  for (const [name, arm] of [...Object.entries({ with: on, without: off })]) {
    const steps = walls(arm).map((each) => each.toFixed(2));
    console.log(`  ${name.padEnd(7)} ${steps.join(' ')} s; not running ${ms(perStep(arm, notRunning))} a step`);
  }
}

/**
 * The seconds that the training thread runs in a step differ by several percent with whatever else the machine does, in
 * both kinds of arm. What checkpoints can take from it is seen in the seconds that it does not run (the processor is
 * another's, a lock or a disk is waited for) and in the copy; the figure sets these against the step.
 */
function tell(pairs: Pair[]): void {
  const all = (kind: keyof Pair): number[] => pairs.flatMap((pair) => walls(pair[kind]));
  const [on, off] = [all('with'), all('without')];
  const ratio = mean(on) / mean(off);
  const error = 1.96 * ratio * Math.hypot(standardError(on) / mean(on), standardError(off) / mean(off));
  console.log(`median step ${median(on).toFixed(3)} s with, ${median(off).toFixed(3)} s without`);
  console.log(`mean step ${mean(on).toFixed(3)} s with, ${mean(off).toFixed(3)} s without`);
  console.log(`ratio of the means ${ratio.toFixed(3)} ± ${error.toFixed(3)} (95 %)`);
  const lost = pairs.map(lostSeconds);
  const at = (step: number): string => (1 + mean(lost) / (everySteps * step)).toFixed(4);
  console.log(`training lost per checkpoint: ${lost.map((each) => each.toFixed(2)).join(', ')} s`);
  console.log(`every ${everySteps} steps: ${at(2)} at 2 s a step, ${at(5)} at 5 s, ${at(10)} at 10 s`);
  const load = (loadavg()[1] ?? Number.NaN).toFixed(1);
  console.log(
    `load ${load} on ${availableParallelism()} cores; about 1 is this bench, and other work makes all of it worse`,
  );
  console.log(at(mean(off)));
}

const lostSeconds = ({ with: on, without: off }: Pair): number =>
  everySteps * (perStep(on, notRunning) - perStep(off, notRunning)) + (on.checkpoint?.seconds ?? Number.NaN);

const walls = ({ clocks }: Arm): number[] =>
  clocks.slice(1).map(({ time }, index) => time - (clocks[index]?.time ?? Number.NaN));
const notRunning = ({ time, cpu }: Clock): number => time - cpu;
const perStep = ({ clocks }: Arm, of: (clock: Clock) => number): number => {
  const [first] = clocks;
  const last = clocks.at(-1);
  return first === undefined || last === undefined ? Number.NaN : (of(last) - of(first)) / (clocks.length - 1);
};
const sum = (values: readonly number[]): number => values.reduce((total, each) => total + each, 0);
const mean = (values: readonly number[]): number => sum(values) / values.length;
const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
const standardError = (values: readonly number[]): number =>
  Math.sqrt(sum(values.map((each) => (each - mean(values)) ** 2)) / (values.length * (values.length - 1)));
const ms = (seconds: number): string => `${(seconds * 1000).toFixed(0)} ms`;

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
