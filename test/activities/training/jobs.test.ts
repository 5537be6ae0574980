import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { failureOfJob } from '../../../activities/training/job-failure.ts';
import { dpoJob, halved, sftJob } from '../../../activities/training/jobs.ts';
import type { JobOutcome } from '../../../activities/training/run-job.ts';
import { projectRoot } from '../../../config/environment.ts';
import { Recipe } from '../../../config/recipe.ts';
import { DpoJob, SftJob, TrainerJob, trainerExitCodes } from '../../../config/trainer-job.ts';

const recipe = Recipe.parse({ name: 'defaults', description: 'All defaults.' });
const place = { id: 'r/A1', outputDir: '/w/out', checkpoints: '/w/checkpoints', resumeFrom: null };
const inputs = { base: '/base', train: '/train.jsonl', heldOut: '/held.jsonl', adapter: '/adapter' };

describe('jobs from a recipe', () => {
  test('are what the trainer accepts', () => {
    expect(SftJob.parse(sftJob(recipe, 'A', { ...inputs, heldOut: null, adapter: null }, place, null))).toMatchObject({
      optimisation: { epochs: 3, batchSize: 2, gradientAccumulation: 16, learningRate: 2e-4 },
      base: { quantization: 'nf4' },
    });
    const stages = DpoJob.parse(
      dpoJob(recipe, { base: '/base', pairs: '/p.jsonl', adapter: '/a' }, place, null),
    ).stages;
    expect(stages.map(({ epochs, beta, loss, dropNoisiestShare }) => [epochs, beta, loss, dropNoisiestShare])).toEqual([
      [1, 0.05, 'dpo', 0],
      [2, 0.1, 'cal-dpo', 0],
      [1, 0.1, 'cal-dpo', 0.15],
    ]);
  });

  test('the published losses take their λ and β′ from the recipe, else 1', () => {
    const stages = [
      { epochs: 1, beta: 0.1, loss: 'cal-dpo-published', calLambda: 0.01 } as const,
      { epochs: 1, beta: 0.1, loss: 'dr-dpo-published', drBetaPrime: 0.5 } as const,
    ];
    const own = Recipe.parse({ ...recipe, phaseC: { stages } });
    expect(dpoJob(own, { base: '/base', pairs: '/p.jsonl', adapter: '/a' }, place, null).stages).toMatchObject([
      { loss: 'cal-dpo-published', calLambda: 0.01, drBetaPrime: 1 },
      { loss: 'dr-dpo-published', calLambda: 1, drBetaPrime: 0.5 },
    ]);
  });

  test('early stopping needs a held-out file and is for Phase B alone', () => {
    const early = Recipe.parse({ ...recipe, phaseB: { ...recipe.phaseB, earlyStopping: { patienceEpochs: 3 } } });
    expect(sftJob(early, 'B', inputs, place, null).earlyStopping).toEqual({ patienceEpochs: 3 });
    expect(sftJob(early, 'B', { ...inputs, heldOut: null }, place, null).earlyStopping).toBeUndefined();
    expect(sftJob(early, 'A', inputs, place, null).earlyStopping).toBeUndefined();
  });

  test('several GPUs are named only where the recipe asks for them', () => {
    const jobsOf = (distributed: Partial<Recipe['distributed']>) => {
      const given = Recipe.parse({ ...recipe, distributed });
      const pairs = { base: '/base', pairs: '/p.jsonl', adapter: '/a' };
      return [sftJob(given, 'B', inputs, place, null), dpoJob(given, pairs, place, null)];
    };
    for (const job of jobsOf({})) expect(job).not.toHaveProperty('distributed');
    for (const job of jobsOf({ processes: 4, strategy: 'fsdp' })) {
      expect(TrainerJob.parse(job).distributed).toEqual({
        processes: 4,
        strategy: 'fsdp',
        allowOtherWorldSize: false,
      });
    }
    // A host with one GPU may then go on from what several began.
    for (const job of jobsOf({ allowOtherWorldSize: true })) {
      expect(job.distributed).toEqual({ processes: 1, strategy: 'ddp', allowOtherWorldSize: true });
    }
  });

  test('checkpoints follow what may be lost, or the number that the recipe insists on', () => {
    const own = Recipe.parse({ ...recipe, phaseB: { checkpointEverySteps: 7 }, reliability: { maxLostSeconds: 20 } });
    expect(sftJob(recipe, 'A', inputs, place, null).checkpointing).toMatchObject({
      ...{ everySteps: 'auto', maxLostSeconds: 60 },
    });
    expect(sftJob(own, 'A', inputs, place, null).checkpointing).toMatchObject({ maxLostSeconds: 20 });
    expect(SftJob.parse(sftJob(own, 'B', inputs, place, null)).checkpointing).toEqual({
      ...{ everySteps: 7, directory: '/w/checkpoints' },
    });
    expect(() => Recipe.parse({ ...recipe, phaseA: { checkpointEverySteps: 'often' } })).toThrow(
      /checkpointEverySteps/,
    );
  });

  test('a smaller micro-batch keeps the rows per step', () => {
    expect(sftJob(recipe, 'A', inputs, place, 1).optimisation).toMatchObject({
      batchSize: 1,
      gradientAccumulation: 32,
    });
    expect([halved(8), halved(6), halved(3), halved(1)]).toEqual([4, 3, null, null]);
  });
});

describe('ends of a job', () => {
  const outcome = (changes: Partial<JobOutcome>): JobOutcome => ({
    ...{ code: 1, signal: null, result: null, error: null, endedBy: null, advanced: true, seconds: 1 },
    ...changes,
  });
  const error = (code: string, message: string): JobOutcome['error'] => ({
    event: 'error',
    time: 0,
    job: 'j',
    code,
    message,
    fix: 'Do this.',
  });

  test.each<[string, Partial<JobOutcome>, string, boolean]>([
    ['unexpected', { code: trainerExitCodes.unexpected }, 'TrainerFailed', false],
    ['bad job', { code: trainerExitCodes.invalidJob }, 'InvalidJob', true],
    ['preflight', { code: trainerExitCodes.preflightRefused }, 'PreflightRefused', true],
    [
      'another base',
      { code: trainerExitCodes.preflightRefused, error: error('adapterOfAnotherBase', 'x') },
      'BaseMismatch',
      true,
    ],
    ['out of memory', { code: trainerExitCodes.outOfMemory }, 'OutOfMemory', false],
    ['diverged', { code: trainerExitCodes.diverged }, 'Diverged', true],
    ['interrupted', { code: trainerExitCodes.interrupted }, 'GpuLost', false],
    ['disk full', { code: trainerExitCodes.diskFull }, 'DiskFull', false],
    [
      'device gone',
      { error: error('unexpected', 'CUDA error: uncorrectable ECC error encountered') },
      'GpuLost',
      false,
    ],
    [
      'an old driver, in whatever words',
      { code: trainerExitCodes.invalidJob, error: error('cudaUnusable', 'no CUDA-capable device is detected') },
      'InvalidJob',
      true,
    ],
    ['killed after a step', { code: 137, signal: 9 }, 'GpuLost', false],
    ['killed before its first step', { code: 137, signal: 9, advanced: false }, 'TrainerFailed', false],
    ['server gone', { code: null }, 'GpuLost', false],
    ['stalled', { code: 137, signal: 9, endedBy: 'stalled' }, 'TrainerStalled', false],
    ['a code that nobody knows', { code: 77 }, 'TrainerFailed', false],
  ])('%s', (_, changes, type, permanent) => {
    expect(failureOfJob(outcome(changes), [])).toMatchObject({ type, nonRetryable: permanent });
  });

  test('what the trainer said and its fix are in the message', () => {
    const { message } = failureOfJob(
      outcome({ code: 11, error: error('zeroSupervisedTokens', 'no row has tokens') }),
      [],
    );
    expect(message).toBe('the trainer ended with exit code 11: no row has tokens. Do this.');
  });

  test('exit codes are those of the Python side', () => {
    const python = readFileSync(join(projectRoot, 'trainer/src/ratchet_trainer/exit_codes.py'), 'utf8');
    const theirs = [...python.matchAll(/"(\w+)": (\d+),/g)].map(([, name, code]) => [name, Number(code)]);
    expect(Object.fromEntries(theirs)).toEqual(trainerExitCodes);
  });
});
