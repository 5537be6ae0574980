import { ApplicationFailure } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { failure } from '../../activities/failure.ts';
import { invalid } from '../../domain/invalid.ts';
import { decideUpdate } from '../../workflows/messages.ts';
import { trainUntilCancelled } from './fake-activities.ts';
import type { Script } from './fake-activities.ts';
import { approve, startHarness, status, untilGate } from './programme-harness.ts';

let harness: Awaited<ReturnType<typeof startHarness>>;
beforeAll(async () => {
  harness = await startHarness();
});
afterAll(() => harness.stop());

const auto = { gates: { policy: 'auto' } };
const damaged = () => failure('ArtefactDamaged', 'a row is missing');
/** Only at the end: in between, a state that cannot be saved is an outage like any other. */
const writes =
  (...whats: ('report' | 'state')[]): Script['onWrite'] =>
  (what, { finishedAt }) => {
    if (finishedAt !== null && whats.includes(what)) throw damaged();
  };
const unwritten = /The report could not be written \(a row is missing\)\. Write it again: ratchet report run-\d+\./u;
const unsaved = /The state could not be written \(a row is missing\)\. No run can start from it/u;

describe.each([
  ['the report', ['report'], [unwritten]],
  ['the state', ['state'], [unsaved]],
  ['both', ['report', 'state'], [unwritten, unsaved]],
] as const)('%s cannot be written at the end', (_, whats, says) => {
  const onWrite = writes(...whats);

  test.each(['selfImprovement', 'ablation'] as const)(
    'a finished %s stays done, and its model counts',
    async (type) => {
      const play: Parameters<typeof harness.scenario>[1] = async (run) => {
        const outcome = await run.result();
        expect(outcome).toMatchObject({ stage: 'done' });
        if (type === 'selfImprovement') expect(outcome.promoted).toMatchObject({ phase: 'C' });
        for (const words of says) expect(outcome.conclusion).toMatch(words);
        expect((await status(run)).conclusion).toBe(outcome.conclusion);
        expect(outcome.report === null).toBe(whats.some((what) => what === 'report'));
      };
      await harness.scenario({ recipe: auto, ...(onWrite && { onWrite }) }, play, undefined, type);
    },
  );

  test('a stopped one stays stopped', async () => {
    await harness.scenario({ recipe: { gates: { policy: 'manual' } }, ...(onWrite && { onWrite }) }, async (run) => {
      await untilGate(run, 'A');
      await run.executeUpdate(decideUpdate, { args: [{ gate: 'A', choice: 'abort' }] });
      expect(await run.result()).toMatchObject({ stage: 'stopped' });
    });
  });

  test('a cancelled one ends as cancelled', async () => {
    const script: Script = { onTrain: trainUntilCancelled, ...(onWrite && { onWrite }) };
    await harness.scenario(script, async (run, { calls }) => {
      await expect.poll(() => calls.some(({ activity }) => activity === 'trainSft')).toBe(true);
      await run.cancel();
      await expect(run.result()).rejects.toMatchObject({ cause: { name: 'CancelledFailure' } });
      const { stage, conclusion } = await status(run);
      expect(stage).toBe('cancelled');
      for (const words of says) expect(conclusion).toMatch(words);
    });
  });

  test('a failed one keeps its own error', async () => {
    const onTrain = () => {
      throw failure('InvalidJob', 'no such base');
    };
    await harness.scenario({ recipe: auto, onTrain, ...(onWrite && { onWrite }) }, async (run) => {
      await expect(run.result()).rejects.toMatchObject({ cause: { name: 'ChildWorkflowFailure' } });
      const { stage, conclusion } = await status(run);
      expect(stage).toBe('failed');
      expect(conclusion).toMatch(/^Failed \(no such base\) during phaseA\./u);
      for (const words of says) expect(conclusion).toMatch(words);
    });
  });
});

test('the fix of a failure is told, and not what lay beneath it', async () => {
  const onTrain = () => {
    throw failure('InvalidJob', 'the job is wrong; mend it', { cause: new Error('deep down') });
  };
  await harness.scenario({ recipe: auto, onTrain }, async (run) => {
    await expect(run.result()).rejects.toThrow();
    expect((await status(run)).conclusion).toContain('Failed (the job is wrong; mend it)');
  });
});

test('a refusal of domain code keeps its type, and ends the run at once', async () => {
  let trained = 0;
  const onTrain = () => {
    trained += 1;
    throw invalid('InvalidData', 'row 3 is odd');
  };
  await harness.scenario({ recipe: auto, onTrain }, async (run) => {
    await expect(run.result()).rejects.toThrow();
    expect((await status(run)).conclusion).toContain('Failed (row 3 is odd)');
    expect(trained).toBe(1);
  });
});

describe('a decision of the policy or the deadline that the gate refuses', () => {
  const wrong = { choice: 'skip', reason: 'leave it' } as const;

  test('of the policy: is kept with the reason, not acted on, and the gate waits for a person', async () => {
    const recipe = { gates: { policy: 'recommended' } };
    await harness.scenario({ recipe, gates: { A1: { verdict: 'fail', recommendation: wrong } } }, async (run) => {
      await untilGate(run, 'A');
      const { decisions, waiting, promoted } = await status(run);
      expect(waiting).toBe('A');
      expect(promoted).toBeNull();
      expect(decisions).toMatchObject([
        {
          source: 'policy',
          choice: 'skip',
          accepted: false,
          refusal: 'gate A does not offer skip; it offers approve, retry, abort',
        },
      ]);
      await run.executeUpdate(decideUpdate, { args: [{ gate: 'A', choice: 'abort', by: 'test' }] });
      expect(await run.result()).toMatchObject({ stage: 'stopped' });
    });
  });

  test('of the deadline: the same, and the person is still reminded', async () => {
    const webhook = { url: 'http://one.test/' };
    const timing = { remindAfterMinutes: 0.001, deadlineMinutes: 0.002 };
    const recipe = { gates: { policy: 'manual', timing, webhook } };
    await harness.scenario(
      { recipe, gates: { A1: { verdict: 'fail', recommendation: wrong } } },
      async (run, { calls }) => {
        const kinds = () =>
          calls
            .filter(({ activity }) => activity === 'notifyGate')
            .map(({ input }) => (input['notice'] as { kind: string }).kind);
        await expect.poll(async () => (await status(run)).decisions.length).toBe(1);
        expect(await status(run)).toMatchObject({
          waiting: 'A',
          decisions: [{ source: 'deadline', choice: 'skip', accepted: false }],
        });
        await expect.poll(() => kinds().slice(kinds().indexOf('deadline') + 1)).toContain('reminder');
        expect(kinds().filter((kind) => kind === 'opened')).toHaveLength(1);
        await run.executeUpdate(decideUpdate, { args: [{ gate: 'A', choice: 'abort', by: 'test' }] });
        expect(await run.result()).toMatchObject({ stage: 'stopped' });
        expect((await status(run)).decisions).toHaveLength(2);
      },
    );
  });
});

test('hundreds of refused decisions leave the accepted ones, and a state that can be saved', async () => {
  await harness.scenario({ recipe: { gates: { policy: 'manual' } } }, async (run, { saved }) => {
    await untilGate(run, 'A');
    await approve(run, 'A');
    await untilGate(run, 'B');
    const note = 'n'.repeat(3_900);
    const templates = { teacherSystem: 's'.repeat(19_000) };
    const refused = { gate: 'C', choice: 'redesign', note, remedies: { templates } };
    for (let round = 0; round < 10; round += 1) {
      await Promise.all(
        Array.from({ length: 30 }, (_, index) =>
          run.signal('decide', { ...refused, by: `flood ${String(round)}-${String(index)}` }),
        ),
      );
      await run.signal('decide', { ...refused, gate: `odd ${String(round)}` });
    }
    await expect.poll(async () => (await status(run)).unreadable.length).toBe(10);
    const { decisions } = await status(run);
    expect(decisions).toHaveLength(101);
    expect(decisions[0]).toMatchObject({ gate: 'A', choice: 'approve', accepted: true });
    expect(decisions.at(-1)?.by).toMatch(/^flood 9-/u);
    await run.executeUpdate(decideUpdate, { args: [{ gate: 'B', choice: 'abort', by: 'test' }] });
    expect(await run.result()).toMatchObject({ stage: 'stopped' });
    const state = saved.get(run.workflowId);
    expect(state?.decisions.filter(({ accepted }) => accepted).map(({ gate }) => gate)).toEqual(['A', 'B']);
    expect(JSON.stringify(state).length).toBeLessThan(300_000);
  });
});

test('ApplicationFailures of other types end a run by their own words', async () => {
  const onTrain = () => {
    throw ApplicationFailure.nonRetryable('odd thing', 'Odd');
  };
  const recipe = { ...auto, reliability: { maxInfrastructureRetries: 0 } };
  await harness.scenario({ recipe, onTrain }, async (run) => {
    await expect(run.result()).rejects.toThrow();
    expect((await status(run)).conclusion).toContain(
      'Failed (Odd: odd thing (in trainSft). This is a fault of ratchet or of its host',
    );
  });
});
