import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Recipe } from '../config/recipe.ts';
import type { SftJob } from '../config/trainer-job.ts';
import { readEnvironment } from '../config/environment.ts';
import { stackEnvironment } from '../infra/embedded/index.ts';
import { startBareTrainer } from './trainer-jobs.ts';

export const about = 'seconds from the request of an SFT job to its first finished step, on a warm worker';

const jobs = 10;

/** Prints the median over ten jobs, one after the other, after one that is not counted. */
export async function measure(): Promise<void> {
  const env = stackEnvironment();
  const base = readEnvironment(env).tinyBase;
  const folder = mkdtempSync(join(tmpdir(), 'ratchet-start-'));
  const trainer = await startBareTrainer(env['RATCHET_PYTHON'] ?? 'python3', base);
  try {
    const seconds: number[] = [];
    for (let index = 0; index <= jobs; index += 1) {
      const jobFile = writeJob(join(folder, String(index)), base);
      const startedAt = performance.now();
      const steps: number[] = [];
      await trainer.run(jobFile, (event) => {
        if (event.event === 'step') steps.push((performance.now() - startedAt) / 1000);
      });
      const [first] = steps;
      if (first === undefined) throw new Error('the job ended without a step');
      if (index > 0) seconds.push(first);
    }
    seconds.sort((a, b) => a - b);
    console.log(`${jobs} jobs: ${seconds.map((each) => each.toFixed(2)).join(' ')} s`);
    console.log((((seconds[jobs / 2 - 1] ?? 0) + (seconds[jobs / 2] ?? 0)) / 2).toFixed(3));
  } finally {
    await trainer.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

function writeJob(folder: string, base: string): string {
  const { lora } = Recipe.parse({ name: 'job-start', description: 'bench' });
  mkdirSync(folder);
  const trainFile = join(folder, 'train.jsonl');
  const row = { prompt: 'Question: Is a baker a person?\nAnswer:', completion: ' yes' };
  writeFileSync(trainFile, `${JSON.stringify(row)}\n`.repeat(16));
  const job: SftJob = {
    version: 1,
    kind: 'sft',
    id: 'bench/job-start',
    seed: 42,
    base: { path: base, quantization: 'nf4', dtype: 'float32' },
    outputDir: join(folder, 'out'),
    lora,
    trainFile,
    optimisation: {
      epochs: 1,
      batchSize: 16,
      gradientAccumulation: 1,
      learningRate: 1e-4,
      warmupShare: 0,
      scheduler: 'constant',
      weightDecay: 0,
      maxGradNorm: 1,
      maxLength: 256,
    },
    packing: false,
    checkpointing: { everySteps: 1000, directory: join(folder, 'checkpoints') },
    preflight: { maxTruncatedShare: 0 },
    reportTo: [],
  };
  const file = join(folder, 'job.json');
  writeFileSync(file, JSON.stringify(job));
  return file;
}
