import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { MockActivityEnvironment } from '@temporalio/testing';
import type { GpuActivities, TrainerProgress } from '../../activities/contract.ts';
import type { MetricMeter, MetricTags } from '@temporalio/common';
import { createGpuActivities } from '../../activities/gpu-activities.ts';
import { createLog, temporalLogger } from '../../activities/logging.ts';
import { readManifest } from '../../activities/store/folders.ts';
import type { Store } from '../../activities/store/store.ts';
import { sha256 } from '../../activities/store/files.ts';
import type { GpuDeps } from '../../activities/training/gpu-deps.ts';
import { createTrainerServer } from '../../activities/training/trainer-server.ts';
import type { TrainerServer } from '../../activities/training/trainer-server.ts';
import { projectRoot, readEnvironment } from '../../config/environment.ts';
import { Recipe } from '../../config/recipe.ts';
import type { ArtefactRef, PreferencePair, SftRow } from '../../domain/records.ts';
import type { TestS3 } from './s3.ts';

/** Folder of a small base with random weights, made once per checkout. */
export async function smallBase(): Promise<string> {
  const script = join(import.meta.dirname, 'small_base.py');
  const folder = join(projectRoot, '.ratchet', 'test-bases', sha256(readFileSync(script, 'utf8')).slice(0, 16));
  if (existsSync(folder)) return folder;
  mkdirSync(join(folder, '..'), { recursive: true });
  const partial = `${folder}.partial-${process.pid}`;
  await promisify(execFile)(readEnvironment().python, [script, partial]);
  renameSync(partial, folder);
  return folder;
}

/** A GPU host of its own: caches and work folders that no other has; the warm trainer may be shared. */
export type TestHost = {
  activities: GpuActivities;
  workDir: string;
  /** Tells this host that it is about to go. */
  giveNotice: () => void;
};

/** The trainer of a test file; call `stop` in afterAll. */
export async function startTestTrainer(): Promise<{ trainer: TrainerServer; base: string }> {
  const base = await smallBase();
  const trainer = createTrainerServer({ python: readEnvironment().python, preload: base, log: quiet });
  await trainer.socket();
  return { trainer, base };
}

const quiet = createLog({ service: 'test', level: process.env['RATCHET_LOG_LEVEL'] ?? 'error' });
quiet.silent = process.env['RATCHET_LOG_LEVEL'] === undefined;

/** @param store of this host; default: one with an empty cache */
export function newHost(
  s3: TestS3,
  trainer: TrainerServer,
  store: Store = s3.newStore(),
  more: Partial<Pick<GpuDeps, 'graceMs' | 'metadata' | 'workDir'>> = {},
): TestHost {
  const notice = new AbortController();
  const { workDir = s3.newFolder() } = more;
  const bases = { tiny: s3.newFolder() };
  const giveNotice = (): void => {
    notice.abort();
  };
  const metadata = { aws: 'http://127.0.0.1:9', gcp: 'http://127.0.0.1:9' };
  const deps: GpuDeps = {
    ...{ store, trainer, workDir, bases, log: quiet, notice: notice.signal, giveNotice, metadata },
    ...{ graceMs: 20_000, keepWork: false, ...more },
  };
  return {
    activities: createGpuActivities(deps),
    workDir,
    giveNotice,
  };
}

export type RecordedMetric = { name: string; value: number; tags: MetricTags };

function recordingMeter(into: RecordedMetric[], own: MetricTags = {}): MetricMeter {
  const metric = <Kind extends string, Value extends string>(name: string, kind: Kind, valueType: Value) => {
    const record = (value: number, tags: MetricTags = {}) => into.push({ name, value, tags: { ...own, ...tags } });
    const made = { name, kind, valueType, add: record, record, set: record, withTags: () => made };
    return made;
  };
  return {
    createCounter: (name) => metric(name, 'counter', 'int'),
    createHistogram: (name, valueType = 'int') => metric(name, 'histogram', valueType),
    createGauge: (name, valueType = 'int') => metric(name, 'gauge', valueType),
    withTags: (tags) => recordingMeter(into, { ...own, ...tags }),
  };
}

/** A run of an activity that the test can watch and cancel. */
export function startActivity<Input, Output>(
  activity: (input: Input) => Promise<Output>,
  input: Input,
  previous?: TrainerProgress,
): {
  result: Promise<Output>;
  beats: TrainerProgress[];
  until: (reached: (p: TrainerProgress) => boolean) => Promise<TrainerProgress>;
  /** What the activity recorded on its metric meter. */
  metrics: RecordedMetric[];
  cancel: () => void;
} {
  const metrics: RecordedMetric[] = [];
  const environment = new MockActivityEnvironment(
    { heartbeatDetails: previous, attempt: previous ? 2 : 1 },
    { logger: temporalLogger(quiet), metricMeter: recordingMeter(metrics) },
  );
  const beats: TrainerProgress[] = [];
  environment.on('heartbeat', (details: TrainerProgress) => beats.push({ ...details }));
  const result = environment.run<[Input], Output, (input: Input) => Promise<Output>>(activity, input);
  result.catch(() => undefined);
  const until = (reached: (progress: TrainerProgress) => boolean): Promise<TrainerProgress> =>
    new Promise((resolve, reject) => {
      const look = (details: TrainerProgress): void => {
        if (!reached(details)) return;
        environment.off('heartbeat', look);
        resolve({ ...details });
      };
      environment.on('heartbeat', look);
      result.then(() => {
        reject(new Error('the activity ended before the test could act'));
      }, reject);
    });
  return {
    result,
    beats,
    metrics,
    until,
    cancel: () => {
      environment.cancel();
    },
  };
}

/** Process ids of the jobs that a trainer is running. */
export const jobsOf = (trainer: TrainerServer): number[] => childrenOf(trainer.pid() ?? 0);

/** Process ids of a process's children, oldest first; of a job of several processes: its ranks. None where it is gone. */
export function childrenOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap((task) =>
      readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
    );
  } catch {
    return [];
  }
}

/** Digest of an adapter's weights. */
export async function weightsOf(store: Store, adapter: ArtefactRef): Promise<string> {
  const { files } = await readManifest(store, adapter);
  const digest = files.find(({ name }) => name === 'adapter_model.safetensors')?.sha256;
  if (digest === undefined) throw new Error(`${adapter.uri} names no weights`);
  return digest;
}

/** A recipe for the small base whose trainings take a few seconds. */
export const smallRecipe = (base: string, changes: Record<string, unknown> = {}): Recipe =>
  Recipe.parse({
    name: 'small',
    description: 'For tests.',
    seed: 7,
    model: { base, use4bit: false, dtype: 'float32' },
    lora: { r: 4, alpha: 8, dropout: 0.1 },
    phaseA: {
      epochs: 30,
      learningRate: 1e-3,
      batchSize: 4,
      gradientAccumulation: 2,
      maxLength: 128,
      checkpointEverySteps: 20,
    },
    phaseC: { batchSize: 4, maxLength: 128, checkpointEverySteps: 5, stages: [{ epochs: 1, beta: 0.1 }] },
    drafts: { maxNewTokens: 24, batchSize: 8 },
    evaluation: { maxNewTokens: 24, batchSize: 8 },
    budget: { gpuHourUsd: 1.5 },
    ...changes,
  });

/** Yes/no rows that a few steps can be trained on. */
export const smallCorpus = (rows: number): SftRow[] =>
  Array.from({ length: rows }, (_, n) => ({
    prompt: `Question: is ${n} so?\nAnswer:`,
    completion: n % 3 ? ' yes' : ' no',
  }));

/** Preference pairs over the same questions. */
export const smallPairs = (rows: number): PreferencePair[] =>
  Array.from({ length: rows }, (_, n) => ({
    id: `p${n}`,
    prompt: `Question: is ${n} so?\nStudent draft: x\nReasoning:`,
    chosen: ' yes',
    rejected: ' no',
    origin: 'flipped',
  }));
