import { afterAll, beforeAll, expect, test } from 'vitest';
import { failure } from '../../activities/failure.ts';
import type { FailureType } from '../../domain/failures.ts';
import { startHarness, status } from './programme-harness.ts';

let harness: Awaited<ReturnType<typeof startHarness>>;
beforeAll(async () => {
  harness = await startHarness();
});
afterAll(() => harness.stop());

const recipe = {
  gates: { policy: 'auto' },
  reliability: { maxInfrastructureRetries: 1 },
  judge: { model: 'judge-1' },
  phaseC: { experiments: { attribution: { items: 5 } } },
};

type Activity = 'attribute' | 'generateDrafts' | 'judgePairs';
const cases: [Activity, FailureType, name: string, tries: number][] = [
  ['judgePairs', 'TeacherRejected', 'question-quality', 1],
  ['judgePairs', 'InvalidRecipe', 'question-quality', 1],
  ['judgePairs', 'TeacherUnavailable', 'question-quality', 2],
  ['judgePairs', 'Unexpected', 'question-quality', 2],
  ['generateDrafts', 'InvalidJob', 'question-quality', 1],
  ['attribute', 'InvalidJob', 'attribution', 1],
  ['attribute', 'TrainerFailed', 'attribution', 2],
  ['attribute', 'OutOfMemory', 'attribution', 2],
];

test.each(cases)(
  '%s that fails with %s is evidence by name: the phase and its model stay',
  async (which, type, name, tries) => {
    let tried = 0;
    const onExperiment = (activity: Activity) => {
      if (activity !== which) return;
      tried += 1;
      throw failure(type, 'why it failed; mend it', { cause: new Error('beneath') });
    };
    await harness.scenario({ recipe, onExperiment }, async (run, { calls }) => {
      expect(await run.result()).toMatchObject({ stage: 'done', promoted: { phase: 'C' } });
      expect(tried).toBe(tries);
      const failed = [{ name, type, message: 'why it failed; mend it' }];
      const judged = calls.findLast(({ activity }) => activity === 'judgeGate')?.input;
      expect(judged?.['experiments']).toMatchObject({ failed });
      const experiments = (await status(run)).phases.at(-1)?.experiments;
      expect(experiments?.failed).toEqual(failed);
      // The other one was made all the same.
      expect(experiments?.attribution === undefined).toBe(name === 'attribution');
      expect(experiments?.questionQuality === undefined).toBe(name === 'question-quality');
      expect(calls.filter(({ activity }) => activity === 'trainDpo')).toHaveLength(1);
    });
  },
);

test('both may fail', async () => {
  const onExperiment = () => {
    throw failure('InvalidJob', 'no');
  };
  await harness.scenario({ recipe, onExperiment }, async (run) => {
    expect(await run.result()).toMatchObject({ stage: 'done' });
    const failed = (await status(run)).phases.at(-1)?.experiments?.failed;
    expect(failed?.map(({ name }) => name)).toEqual(['question-quality', 'attribution']);
  });
});

test('what an experiment took until it failed counts', async () => {
  const spent = async (fails: boolean): Promise<number> => {
    let seconds = 0;
    const onExperiment = (activity: Activity) => {
      if (fails && activity === 'judgePairs') throw failure('TeacherRejected', 'no');
    };
    await harness.scenario({ recipe, onExperiment }, async (run) => {
      await run.result();
      seconds = (await status(run)).spent.gpuSeconds;
    });
    return seconds;
  };
  expect(await spent(true)).toBe(await spent(false));
});

test('what a judge was paid until it failed counts', async () => {
  const onExperiment = (activity: Activity) => {
    if (activity === 'judgePairs') throw failure('TeacherRejected', 'no', { details: [{ cost: { judgeUsd: 0.5 } }] });
  };
  await harness.scenario({ recipe, onExperiment }, async (run) => {
    await run.result();
    expect((await status(run)).spent.judgeUsd).toBe(0.5);
  });
});

test('the cap is no failure of an experiment: the budget gate opens, and the experiment is made after a raise', async () => {
  let tried = 0;
  const onExperiment = (activity: Activity) => {
    if (activity !== 'judgePairs' || (tried += 1) > 1) return;
    const budget = { cost: { judgeUsd: 0.1, judgeCalls: 1 }, nextUsd: 0.01, restUsd: 0.2 };
    throw failure('BudgetExceeded', 'at the cap', { details: [{ budget }] });
  };
  await harness.scenario({ recipe, onExperiment }, async (run) => {
    await expect.poll(async () => (await status(run)).waiting).toBe('budget');
    await run.signal('decide', { gate: 'budget', choice: 'raise', capUsd: 1000 });
    expect(await run.result()).toMatchObject({ stage: 'done' });
    expect((await status(run)).phases.at(-1)?.experiments).not.toHaveProperty('failed');
    expect(tried).toBe(2);
  });
});

test('a cancellation during an experiment is one', async () => {
  let began = false;
  const onExperiment = () => {
    began = true;
    throw failure('GpuLost', 'again and again');
  };
  await harness.scenario({ recipe, onExperiment }, async (run) => {
    await expect.poll(() => began).toBe(true);
    await run.cancel();
    await expect(run.result()).rejects.toMatchObject({ cause: { name: 'CancelledFailure' } });
    expect(await status(run)).toMatchObject({ stage: 'cancelled' });
  });
});
