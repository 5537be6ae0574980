import { ApplicationFailure } from '@temporalio/client';
import type { WorkflowUpdateFailedError } from '@temporalio/client';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createProgrammes } from '../../cli/temporal/programmes.ts';
import { decideSignal, decideUpdate } from '../../workflows/messages.ts';
import { ref } from './fake-activities.ts';
import { gates, startHarness, status, untilGate } from './programme-harness.ts';

let harness: Awaited<ReturnType<typeof startHarness>>;
beforeAll(async () => {
  harness = await startHarness();
});
afterAll(() => harness.stop());

test('a decision on stale evidence is refused with the difference: by signal, Update and command', async () => {
  const recipe = { gates: { policy: 'manual' } };
  await harness.scenario({ recipe, gates: { A1: { verdict: 'fail' }, A2: { verdict: 'fail' } } }, async (run) => {
    await untilGate(run, 'A');
    await run.signal(decideSignal, { gate: 'A', choice: 'retry' });
    await untilGate(run, 'A', 2);
    const stale = { gate: 'A', choice: 'abort', evidence: 'digest-A1' } as const;
    const difference =
      'digest-A2 (since then changed: attempt (1, now 2), evaluation A1/direct, evaluation A2/direct, adapter)';

    await run.signal(decideSignal, stale);
    await expect.poll(async () => (await status(run)).decisions.length).toBe(2);
    expect((await status(run)).decisions[1]?.refusal).toContain(difference);

    const update = await run.executeUpdate(decideUpdate, { args: [stale] }).catch((error: unknown) => error);
    expect((update as WorkflowUpdateFailedError).cause?.message).toContain(difference);

    const programmes = createProgrammes(harness.client, () => Promise.resolve());
    await expect(programmes.decide(run.workflowId, stale)).rejects.toThrow(difference);
    await expect.poll(async () => (await status(run)).decisions.length).toBe(3);
    expect(await status(run)).toMatchObject({
      waiting: 'A',
      decisions: [{}, { accepted: false }, { accepted: false }],
    });
    await programmes.decide(run.workflowId, { ...stale, evidence: 'digest-A2' });
    expect(await run.result()).toMatchObject({ stage: 'stopped' });
  });
});

test('extend evaluates more of what the gate compares, closes the old question and opens a new one, as often as planned', async () => {
  const heldOut = { reason: 'held out', counts: { yes: 10, no: 10 } };
  const all = { yes: 50, no: 50 };
  const step = { name: 'held out for evaluation', before: all, after: { yes: 40, no: 40 }, removed: [heldOut] };
  const recipe = { gates: { policy: 'auto' } };
  const gatesOf = { B1: { verdict: 'inconclusive' }, 'B1+1': { verdict: 'inconclusive' } } as const;
  await harness.scenario({ recipe, gates: gatesOf, dataReport: { steps: [step] } }, async (run, { calls }) => {
    const { open } = await untilGate(run, 'B');
    expect(open).toMatchObject({ digest: 'digest-B1', options: expect.arrayContaining(['extend']) as string[] });
    const before = calls.length;
    await run.executeUpdate(decideUpdate, { args: [{ gate: 'B', choice: 'extend', evidence: 'digest-B1' }] });
    await expect.poll(async () => (await gates(run)).open?.digest, { timeout: 30_000 }).toBe('digest-again-B1');

    const since = calls.slice(before);
    const asked = since.filter(({ activity }) => activity === 'evaluate').map(({ input }) => input);
    expect(asked.map(({ name, adapter }) => [name, (adapter as { uri: string } | null)?.uri])).toEqual([
      ['A1/direct', 's3://fake/adapter-A1'],
      ['B1/reasoning', 's3://fake/adapter-B1'],
      ['B1/direct', 's3://fake/adapter-B1'],
      ['base/direct', undefined],
    ]);
    for (const { questions } of asked) expect(questions).toEqual(ref('B1-extension-1', 5));
    const judged = calls.filter(({ activity, input }) => activity === 'judgeGate' && input['gate'] === 'B');
    expect(judged.map(({ input: { looks, questionsLeft } }) => [looks, questionsLeft])).toEqual([
      [2, 19],
      [2, 0],
    ]);
    expect(judged[1]?.input['evaluations']).toMatchObject([
      { name: 'A1/direct', n: 20, correct: 12, items: { rows: 2 } },
      { name: 'B1/reasoning', n: 20 },
      { name: 'B1/direct', n: 20 },
    ]);

    const again = (evidence: string) =>
      run
        .executeUpdate(decideUpdate, { args: [{ gate: 'B', choice: 'extend', evidence }] })
        .catch((error: unknown) => (error as WorkflowUpdateFailedError).cause?.message);
    expect(await again('digest-again-B1')).toMatch(/does not offer extend/);
    const stale = await run
      .executeUpdate(decideUpdate, { args: [{ gate: 'B', choice: 'skip', evidence: 'digest-B1' }] })
      .catch((error: unknown) => (error as WorkflowUpdateFailedError).cause?.message);
    expect(stale).toContain('since then changed: evaluation A1/direct, evaluation B1/reasoning, evaluation B1/direct');

    const state = await status(run);
    expect(state.data?.evaluation.rows).toBe(6);
    expect(state.phases[1]).toMatchObject({
      earlierEvidence: [{ digest: 'digest-B1' }],
      evidence: { digest: 'digest-again-B1' },
    });
    await run.signal(decideSignal, { gate: 'B', choice: 'skip', evidence: 'digest-again-B1' });
    expect(await run.result()).toMatchObject({ stage: 'done' });
    const inC = calls.find(({ activity, input }) => activity === 'evaluate' && input['name'] === 'C1/reasoning');
    expect(inC?.input).toMatchObject({
      questions: { uri: 's3://fake/evaluation-B1-extension-1' },
      drafts: { uri: 's3://fake/evaluation-B1-extension-1' },
    });
  });
});

test('a gate that waits tells its webhook: opened, reminders, escalations, the deadline; a deaf one changes nothing', async () => {
  const webhook = { url: 'http://one.test/', escalationUrl: 'http://two.test/', escalateAfterReminders: 1 };
  const recipe = { gates: { timing: { remindAfterMinutes: 0.002, deadlineMinutes: 0.02 }, webhook } };
  const abort = { verdict: 'fail', recommendation: { choice: 'abort', reason: 'no better' } } as const;
  const onNotice = () => {
    throw ApplicationFailure.create({ type: 'WebhookRefused', message: 'deaf' });
  };
  await harness.scenario({ recipe, gates: { A1: abort }, onNotice }, async (run, { calls }) => {
    expect(await run.result()).toMatchObject({ stage: 'stopped' });
    const notices = calls.filter(({ activity }) => activity === 'notifyGate').map(({ input }) => input);
    // Of what is posted at the very end the run waits for nothing.
    expect(notices.slice(0, 3)).toMatchObject([
      {
        url: webhook.url,
        secretEnv: 'RATCHET_WEBHOOK_SECRET',
        notice: {
          run: run.workflowId,
          gate: 'A',
          attempt: 1,
          verdict: 'fail',
          evidence: 'digest-A1',
          options: ['approve', 'retry', 'abort'],
          recommended: 'abort',
          kind: 'opened',
          reminder: 0,
        },
      },
      { url: webhook.url, notice: { kind: 'reminder', reminder: 1 } },
      { url: webhook.escalationUrl, notice: { kind: 'escalation', reminder: 2 } },
    ]);
  });
});
