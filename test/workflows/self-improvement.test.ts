import { ApplicationFailure, WorkflowFailedError, WorkflowUpdateFailedError } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { decideSignal, decideUpdate, refusalSignal } from '../../workflows/messages.ts';
import { ref, trainUntilCancelled } from './fake-activities.ts';
import { approve, gates, startHarness, status, untilGate } from './programme-harness.ts';

let harness: Awaited<ReturnType<typeof startHarness>>;
beforeAll(async () => {
  harness = await startHarness();
});
afterAll(() => harness.stop());

const recommended = { gates: { policy: 'recommended' } };
const failB = {
  verdict: 'fail',
  recommendation: { choice: 'fix', remedies: { balance: 'upsample', sharedTemplate: true }, reason: 'imbalance' },
} as const;

describe('the plan', () => {
  test('runs A, B, the recommended fix of B, and C; each phase starts from the last promoted adapter', async () => {
    await harness.scenario({ recipe: recommended, gates: { B1: failB } }, async (run, { calls }) => {
      const outcome = await run.result();
      expect(outcome).toMatchObject({ stage: 'done', promoted: { phase: 'C', attempt: 1, override: false } });
      const trainings = calls.filter(({ activity }) => activity.startsWith('train'));
      expect(trainings.map(({ input }) => [input['scope'], input['adapter']])).toMatchObject([
        [{ phase: 'A', attempt: 1 }, null],
        [{ phase: 'B', attempt: 1 }, { uri: 's3://fake/adapter-A1' }],
        [{ phase: 'B', attempt: 2 }, { uri: 's3://fake/adapter-A1' }],
        [{ phase: 'C', attempt: 1 }, { uri: 's3://fake/adapter-B2' }],
      ]);
      expect(trainings[2]?.input['recipe']).toMatchObject({ phaseB: { balance: 'upsample', sharedTemplate: true } });
      const state = await status(run);
      expect(state.phases.map(({ phase, attempt, outcome: end }) => `${phase}${attempt} ${end}`)).toEqual([
        'A1 promoted',
        'B1 rejected',
        'B2 promoted',
        'C1 promoted',
      ]);
      expect(state.decisions.map(({ choice, source }) => `${choice} ${source}`)).toEqual([
        'approve policy',
        'fix policy',
        'approve policy',
        'approve policy',
      ]);
      // Without a judge nothing is judged.
      expect(calls.some(({ activity }) => activity === 'judgePairs')).toBe(false);
      expect(state.phases.at(-1)?.experiments?.questionQuality).toBeUndefined();
    });
  });

  test('judges B against A and C against both, by the evaluations that the template calls for', async () => {
    await harness.scenario({ recipe: recommended, gates: { B1: failB } }, async (run, { calls }) => {
      await run.result();
      const roles = calls.filter(({ activity }) => activity === 'judgeGate').map(({ input }) => input['roles']);
      expect(roles).toEqual([
        { candidate: 'A1/direct' },
        { candidate: 'B1/direct', direct: 'B1/direct', reasoning: 'B1/reasoning', phaseA: 'A1/direct' },
        { candidate: 'B2/reasoning', direct: 'B2/direct', reasoning: 'B2/reasoning', phaseA: 'A1/direct' },
        {
          candidate: 'C1/reasoning',
          direct: 'C1/direct',
          reasoning: 'C1/reasoning',
          noDraft: 'C1/no-draft',
          shuffledDraft: 'C1/shuffled-draft',
          phaseA: 'A1/direct',
          phaseB: 'B2/reasoning',
        },
      ]);
    });
  });

  test('attributes the answers of C under the adapter that it began with and under its own, unless that is off', async () => {
    const asked = async (recipe: Record<string, unknown>) => {
      let found: unknown[] = [];
      await harness.scenario({ recipe: { ...recommended, ...recipe } }, async (run, { calls }) => {
        await run.result();
        const inputs = calls.filter(({ activity }) => activity === 'attribute').map(({ input }) => input);
        const judged = calls.find(({ activity, input }) => activity === 'judgeGate' && input['gate'] === 'C')?.input;
        const { phases, spent } = await status(run);
        const seconds = phases.reduce((sum, { gpuSeconds }) => sum + gpuSeconds, 0);
        // Drafts of both sets and the base's own evaluation.
        expect(spent.gpuSeconds).toBe(seconds + 3);
        expect(judged?.['experiments']).toEqual(phases.at(-1)?.experiments);
        found = [...inputs, judged?.['experiments']];
      });
      return found;
    };
    expect(await asked({})).toMatchObject([
      { name: 'before', adapter: { uri: 's3://fake/adapter-B1' }, evaluation: { uri: 's3://fake/items-C1/reasoning' } },
      { name: 'after', adapter: { uri: 's3://fake/adapter-C1' }, evaluation: { uri: 's3://fake/items-C1/reasoning' } },
      { attribution: { before: { rows: ref('attribution-before') }, after: { rows: ref('attribution-after') } } },
    ]);
    expect(await asked({ phaseC: { experiments: { attribution: 'off' } } })).toEqual([undefined]);
  });

  test('skip goes on to C from the Phase A adapter; abort stops with the model where it was', async () => {
    const skip = { verdict: 'fail', recommendation: { choice: 'skip', reason: 'no fix left' } } as const;
    const abort = { verdict: 'fail', recommendation: { choice: 'abort', reason: 'no better' } } as const;
    await harness.scenario({ recipe: recommended, gates: { B1: skip, C1: abort } }, async (run, { calls }) => {
      expect(await run.result()).toMatchObject({ stage: 'stopped', promoted: { phase: 'A' } });
      expect(calls.find(({ activity }) => activity === 'trainDpo')?.input['adapter']).toMatchObject({
        uri: 's3://fake/adapter-A1',
      });
      expect((await status(run)).conclusion).toContain('Stopped at Gate C (fail)');
    });
  });

  test('with a judge Phase C compares what its adapter asks with what the base asked', async () => {
    const judged = { ...recommended, judge: { items: 50 } };
    await harness.scenario({ recipe: judged, gates: { B1: failB } }, async (run, { calls }) => {
      await run.result();
      const drafted = calls.filter(({ activity }) => activity === 'generateDrafts').at(-1);
      expect(drafted?.input).toMatchObject({
        adapter: { uri: 's3://fake/adapter-C1' },
        sample: { items: 50, seed: 42 },
      });
      const [asked, ...more] = calls.filter(({ activity }) => activity === 'judgePairs');
      expect(more).toEqual([]);
      expect(asked?.input).toMatchObject({
        scope: { phase: 'C', attempt: 1 },
        before: { uri: 's3://fake/drafts-evaluation' },
        after: { uri: 's3://fake/drafts-question-quality' },
        budget: { spentUsd: expect.closeTo(0.25, 9) as number },
      });
      const state = await status(run);
      expect(state.spent).toMatchObject({ teacherUsd: 0.25, judgeUsd: 0.5, judgeCalls: 4 });
      const quality = state.phases.at(-1)?.experiments?.questionQuality;
      expect(quality).toMatchObject({
        compared: { wins: 1, items: 2 },
        verdicts: { uri: 's3://fake/verdicts-question-quality' },
      });
      const gate = calls.findLast(({ activity }) => activity === 'judgeGate');
      expect(gate?.input).toMatchObject({ gate: 'C', experiments: { questionQuality: quality } });
    });
  });

  test('asks the teacher again only for attempts that consensus still needs', async () => {
    const consensus = {
      verdict: 'fail',
      recommendation: { choice: 'fix', remedies: { filtering: 'consensus', consensusAttempts: 3 }, reason: 'lost' },
    } as const;
    await harness.scenario({ recipe: recommended, gates: { B1: consensus } }, async (run, { calls }) => {
      expect((await run.result()).spent).toMatchObject({ teacherUsd: 0.5, teacherCalls: 2 });
      expect(calls.filter(({ activity }) => activity === 'askTeacher').map(({ input }) => input['attempts'])).toEqual([
        1, 3,
      ]);
    });
  });
});

describe('decisions', () => {
  test('a gate waits; what is refused changes nothing and is kept', async () => {
    await harness.scenario({ gates: { A1: { verdict: 'fail' } } }, async (run) => {
      const { open } = await untilGate(run, 'A');
      expect(open?.digest).toBe('digest-A1');
      const attempts = [
        { gate: 'B', choice: 'approve' },
        { gate: 'A', choice: 'fix' },
        { gate: 'A', choice: 'approve' },
        { gate: 'A', choice: 'approve', note: 'seen', evidence: 'digest-of-yesterday' },
        { gate: 'A', choice: 'aprove' },
      ];
      for (const attempt of attempts) await run.signal(decideSignal, attempt);
      await expect.poll(async () => (await status(run)).decisions.length).toBe(4);
      const state = await status(run);
      expect(state.unreadable).toMatchObject([{ refusal: expect.stringContaining('approve') as string }]);
      expect(state.decisions.map(({ accepted, at }) => accepted && at)).toEqual([false, false, false, false]);
      expect(state.decisions[3]?.refusal).toMatch(/digest-of-yesterday.*digest-A1/s);
      expect(state).toMatchObject({ stage: 'phaseA', waiting: 'A' });

      await run.signal(decideSignal, {
        gate: 'A',
        choice: 'approve',
        by: 'ada',
        note: 'baseline only',
        evidence: 'digest-A1',
      });
      await untilGate(run, 'B');
      const after = await status(run);
      expect(after.decisions.at(-1)).toMatchObject({ accepted: true, override: true, by: 'ada', source: 'signal' });
      expect(after.phases[0]?.outcome).toBe('promoted-by-override');
      await run.signal(decideSignal, { gate: 'B', choice: 'abort' });
      expect(await run.result()).toMatchObject({ promoted: { phase: 'A', override: true } });
    });
  });

  test('an Update is refused synchronously with the reason, and leaves no trace unless the client records it', async () => {
    await harness.scenario({}, async (run) => {
      await untilGate(run, 'A');
      const wrong = { gate: 'A', choice: 'skip', by: 'ada' } as const;
      const refused = await run.executeUpdate(decideUpdate, { args: [wrong] }).catch((error: unknown) => error);
      expect(refused).toBeInstanceOf(WorkflowUpdateFailedError);
      const cause = (refused as WorkflowUpdateFailedError).cause;
      expect(cause).toBeInstanceOf(ApplicationFailure);
      expect(cause?.message).toMatch(/skip/);
      expect((await status(run)).decisions).toEqual([]);
      await run.signal(refusalSignal, wrong, cause?.message ?? '');
      await expect
        .poll(async () => (await status(run)).decisions)
        .toMatchObject([{ accepted: false, by: 'ada', refusal: cause?.message }]);

      expect(await approve(run, 'A')).toMatchObject({ accepted: true, override: false, source: 'update' });
      await untilGate(run, 'B');
      await run.terminate();
    });
  });

  test('auto goes on by itself after a pass and waits otherwise; a deadline takes the recommendation', async () => {
    const recipe = { gates: { policy: 'auto', timing: { deadlineMinutes: 0.01 } } };
    const abort = { verdict: 'inconclusive', recommendation: { choice: 'abort', reason: 'too few' } } as const;
    await harness.scenario({ recipe, gates: { B1: abort } }, async (run) => {
      expect(await run.result()).toMatchObject({ stage: 'stopped' });
      expect((await status(run)).decisions.map(({ source }) => source)).toEqual(['policy', 'deadline']);
    });
  });

  test('search attributes name the phase and the waiting gate', async () => {
    await harness.scenario({}, async (run) => {
      await untilGate(run, 'A');
      const { typedSearchAttributes } = await run.describe();
      const pairs = typedSearchAttributes.getAll().map(({ key, value }) => [key.name, value]);
      expect(Object.fromEntries(pairs)).toMatchObject({
        RatchetPhase: 'phaseA',
        RatchetGate: 'A',
        RatchetRecipe: 'fake',
      });
      await approve(run, 'A');
      await untilGate(run, 'B');
      await run.terminate();
    });
  });
});

describe('losses', () => {
  test('cancelling ends the training, keeps state and report, and says where', async () => {
    const script = { onTrain: trainUntilCancelled };
    await harness.scenario(script, async (run, { calls, saved }) => {
      await expect.poll(() => calls.some(({ activity }) => activity === 'trainSft')).toBe(true);
      await run.cancel();
      await expect(run.result()).rejects.toThrow(WorkflowFailedError);
      expect((await run.describe()).status.name).toBe('CANCELLED');
      const state = await status(run);
      expect(state).toMatchObject({
        stage: 'cancelled',
        conclusion: expect.stringContaining(`runs/${run.workflowId}/`) as string,
      });
      expect(saved.get(run.workflowId)?.stage).toBe('cancelled');
    });
  });

  test('infrastructure failures are tried again with back-off, permanent ones fail the run at once with their message', async () => {
    let failuresLeft = 1;
    const onTrain = (name: string) => {
      if (name === 'A1' && failuresLeft-- > 0)
        throw ApplicationFailure.create({ type: 'StorageUnavailable', message: 'S3 is away' });
      if (name === 'B1')
        throw ApplicationFailure.create({ type: 'PreflightRefused', message: 'nothing is supervised' });
    };
    await harness.scenario({ recipe: recommended, onTrain }, async (run, { calls }) => {
      await expect(run.result()).rejects.toThrow(WorkflowFailedError);
      const trained = calls.filter(({ activity }) => activity === 'trainSft').map(({ input }) => input['phase']);
      expect(trained).toEqual(['A', 'A', 'B']);
      expect(await status(run)).toMatchObject({
        stage: 'failed',
        promoted: { phase: 'A' },
        conclusion: expect.stringContaining('nothing is supervised') as string,
      });
    });
  });

  test('a new run starts from a phase of an older one', async () => {
    await harness.scenario(
      { recipe: recommended, gates: { B1: { verdict: 'fail', recommendation: { choice: 'abort', reason: 'x' } } } },
      async (older, { saved, calls }) => {
        await older.result();
        expect(saved.get(older.workflowId)?.stage).toBe('stopped');
        const before = calls.length;
        const younger = await harness.client.workflow.start('selfImprovement', {
          taskQueue: 'ratchet',
          workflowId: 'younger',
          args: [{ recipe: 'fake', from: { run: older.workflowId, at: 'phaseC' } }],
        });
        expect(await younger.result()).toMatchObject({ stage: 'done', promoted: { phase: 'C' } });
        const asked = calls.slice(before).map(({ activity }) => activity);
        expect(asked).not.toContain('askTeacher');
        expect(asked).not.toContain('trainSft');
        expect(calls.at(-1)).toBeDefined();
        expect(calls.find(({ activity }) => activity === 'trainDpo')?.input['adapter']).toMatchObject({
          uri: 's3://fake/adapter-A1',
        });
        expect(await gates(younger as never)).toMatchObject({ open: null });
      },
    );
  });
});
