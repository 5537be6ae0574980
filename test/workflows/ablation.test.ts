import { afterAll, beforeAll, expect, test } from 'vitest';
import type { AblationStart } from '../../domain/ablation.ts';
import type { RunStart } from '../../domain/programme.ts';
import { trainUntilCancelled } from './fake-activities.ts';
import type { Script, fakeActivities } from './fake-activities.ts';
import { startHarness, status } from './programme-harness.ts';
import type { Run } from './programme-harness.ts';

let harness: Awaited<ReturnType<typeof startHarness>>;
beforeAll(async () => {
  harness = await startHarness();
});
afterAll(() => harness.stop());

type Fakes = ReturnType<typeof fakeActivities>;
const ablate = (
  script: Script,
  play: (run: Run, fakes: Fakes) => Promise<void>,
  start: Omit<AblationStart, 'recipe'> | ((fakes: Fakes) => Promise<object>) = {},
) =>
  harness.scenario(
    { recipe: { gates: { policy: 'recommended' } }, ...script },
    play,
    async (fakes) => (typeof start === 'function' ? start(fakes) : start) as Promise<Partial<RunStart>>,
    'ablation',
  );
const inputs = ({ calls }: Fakes, activity: string) =>
  calls.filter((call) => call.activity === activity).map(({ input }) => input);

test('runs A and B, then every arm from one adapter, on the same pairs, seed and questions', async () => {
  await ablate({}, async (run, fakes) => {
    expect(await run.result()).toMatchObject({
      stage: 'done',
      promoted: { phase: 'B', attempt: 1 },
      conclusion: expect.stringContaining('plain DPO') as string,
      table: { rows: [] },
    });
    expect(inputs(fakes, 'buildPairs')).toMatchObject([{ scope: { phase: 'ablation', attempt: 1 } }]);
    const trained = inputs(fakes, 'trainDpo');
    expect(trained.map(({ scope }) => scope)).toMatchObject(
      ['plain', 'cal', 'dr', 'cal-dr', 'schedule'].map((arm) => ({ phase: `arm-${arm}`, attempt: 1 })),
    );
    for (const input of trained)
      expect(input).toMatchObject({
        adapter: { uri: 's3://fake/adapter-B1' },
        pairs: { uri: 's3://fake/pairs' },
        recipe: { seed: 42 },
      });
    const stages = trained.map(
      ({ recipe }) => (recipe as { phaseC: { stages: { loss: string; dropNoisiestShare: number }[] } }).phaseC.stages,
    );
    expect(stages.map((of) => of.map(({ loss, dropNoisiestShare }) => `${loss} ${dropNoisiestShare}`))).toEqual([
      ['dpo 0'],
      ['cal-dpo 0'],
      ['dpo 0', 'dpo 0.15'],
      ['cal-dpo 0', 'cal-dpo 0.15'],
      ['dpo 0', 'cal-dpo 0', 'cal-dpo 0.15'],
    ]);
    const asked = inputs(fakes, 'evaluate').filter(({ scope }) =>
      /^(?:ablation|arm-)/.test((scope as { phase: string }).phase),
    );
    expect(asked.map(({ name }) => name)).toEqual(
      ['reference', 'plain-1', 'cal-1', 'dr-1', 'cal-dr-1', 'schedule-1'].map((name) => `${name}/reasoning`),
    );
    const same = asked.map(({ questions, drafts, mode, recipe }) => ({ questions, drafts, mode, recipe }));
    expect(new Set(same.map((each) => JSON.stringify(each))).size).toBe(1);
    expect(asked.map(({ adapter }) => (adapter as { uri: string }).uri)).toEqual([
      's3://fake/adapter-B1',
      ...['plain', 'cal', 'dr', 'cal-dr', 'schedule'].map((arm) => `s3://fake/adapter-arm-${arm}1`),
    ]);
    expect((await status(run)).ablation?.arms.map(({ name, gpuSeconds }) => [name, gpuSeconds])).toEqual(
      ['plain', 'cal', 'dr', 'cal-dr', 'schedule'].map((name) => [name, 3]),
    );
  });
});

test('from an older run: what Phase C would start from, and nothing is trained or asked before the arms', async () => {
  const older = async (fakes: Fakes) => {
    const run = await harness.client.workflow.start('selfImprovement', {
      ...{ taskQueue: 'ratchet', workflowId: 'older', args: [{ recipe: 'fake' }] },
    });
    await run.result();
    fakes.calls.length = 0;
    return { from: { run: 'older' }, arms: ['cal'], seeds: 2 };
  };
  await ablate(
    {},
    async (run, fakes) => {
      await run.result();
      expect(inputs(fakes, 'resolveAblation')).toMatchObject([{ start: { from: { run: 'older' }, seeds: 2 } }]);
      expect(inputs(fakes, 'askTeacher')).toEqual([]);
      expect(inputs(fakes, 'trainSft')).toEqual([]);
      expect(inputs(fakes, 'trainDpo')).toMatchObject(
        [
          { phase: 'arm-plain', attempt: 1, seed: 42 },
          { phase: 'arm-cal', attempt: 1, seed: 42 },
          { phase: 'arm-plain', attempt: 2, seed: 43 },
          { phase: 'arm-cal', attempt: 2, seed: 43 },
        ].map(({ seed, ...scope }) => ({ scope, adapter: { uri: 's3://fake/adapter-B1' }, recipe: { seed } })),
      );
      expect(await status(run)).toMatchObject({ promoted: { phase: 'B' }, from: { run: 'older', at: 'phaseC' } });
    },
    older,
  );
});

test('stops where a gate on the way leaves no model to start from', async () => {
  const abort = { verdict: 'fail', recommendation: { choice: 'abort', reason: 'knows nothing' } } as const;
  await ablate({ gates: { A1: abort } }, async (run, fakes) => {
    expect(await run.result()).toMatchObject({ stage: 'stopped', promoted: null, table: null });
    expect(inputs(fakes, 'trainDpo')).toEqual([]);
  });
});

test('cancelled: the training stops, what is done is kept in state and report', async () => {
  const onTrain = (name: string) => (name === 'arm-cal1' ? trainUntilCancelled() : undefined);
  await ablate({ onTrain }, async (run, { saved, calls }) => {
    await expect
      .poll(() => calls.filter(({ activity }) => activity === 'trainDpo').length, { timeout: 30_000 })
      .toBe(2);
    await run.cancel();
    await expect(run.result()).rejects.toThrow();
    expect(await status(run)).toMatchObject({
      stage: 'cancelled',
      ablation: { arms: [{ name: 'plain' }], table: null },
      conclusion: expect.stringContaining('during ablation') as string,
    });
    expect(saved.get(run.workflowId)).toMatchObject({ stage: 'cancelled' });
  });
});
