import type { WorkflowUpdateFailedError } from '@temporalio/client';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { failure } from '../../activities/failure.ts';
import type { BudgetNews, BudgetRoom } from '../../domain/budget.ts';
import type { GateNotice } from '../../domain/gate-notice.ts';
import { decideSignal, decideUpdate } from '../../workflows/messages.ts';
import { gates, startHarness, status, untilGate } from './programme-harness.ts';
import type { Run } from './programme-harness.ts';

let harness: Awaited<ReturnType<typeof startHarness>>;
beforeAll(async () => {
  harness = await startHarness();
});
afterAll(() => harness.stop());

/** GPU time at 36 dollars an hour: a second of the fakes is a cent. */
const recipe = (budget: Record<string, unknown>, more: Record<string, unknown> = {}) => ({
  gates: { policy: 'recommended', ...more },
  budget: { gpuHourUsd: 36, ...budget },
});

const atTheCap = (news: BudgetNews): Error =>
  failure('BudgetExceeded', 'budget.capUsd: no room', { details: [{ budget: news }] });

/** A teacher who has answered a part when the cap is reached, and costs 25 cents in all. */
const dearTeacher = (rooms: (BudgetRoom | undefined)[]) => (room: BudgetRoom | undefined) => {
  rooms.push(room);
  if (!room || room.capUsd - room.spentUsd < 0.25)
    throw atTheCap({ cost: { teacherUsd: 0.06 }, nextUsd: 0.01, restUsd: 0.19 });
};

const refusalOf = (run: Run, input: object): Promise<string> =>
  run
    .executeUpdate(decideUpdate, { args: [{ gate: 'budget', choice: 'raise', ...input }] })
    .then(() => 'taken')
    .catch((error: unknown) => (error as WorkflowUpdateFailedError).cause?.message ?? String(error));

test('at the cap the budget gate waits, whatever the policy; a raise goes on, and everything counts once', async () => {
  const rooms: (BudgetRoom | undefined)[] = [];
  const script = { recipe: recipe({ capUsd: 0.1 }), onAsk: dearTeacher(rooms) };
  await harness.scenario(script, async (run, { saved }) => {
    const { open } = await untilGate(run, 'budget');
    // Two drafts and an evaluation at a cent each, and the part of the teacher.
    expect(open).toMatchObject({ options: ['raise', 'stop'], recommendation: { choice: 'stop' } });
    expect(open?.budget).toEqual({
      ...{ stage: 'teacher', capUsd: 0.1, teacherUsd: 0.06, judgeUsd: 0, gpuSeconds: 3, nextUsd: 0.01, restUsd: 0.19 },
      spentUsd: expect.closeTo(0.09, 10) as number,
      gpuUsd: expect.closeTo(0.03, 10) as number,
      leastCapUsd: 0.11,
    });
    expect(rooms).toEqual([{ capUsd: 0.1, spentUsd: expect.closeTo(0.03, 10) as number }]);
    expect(saved.get(run.workflowId)).toMatchObject({ spent: { teacherUsd: 0.06, gpuSeconds: 3 } });
    expect(await status(run)).toMatchObject({ waiting: 'budget', budget: { warnings: [{ capUsd: 0.1 }] } });
    const { typedSearchAttributes } = await run.describe();
    expect(typedSearchAttributes.getAll().map(({ value }) => value)).toContain('budget');

    expect(await refusalOf(run, {})).toMatch(/raise needs capUsd.*at least 0\.11/);
    expect(await refusalOf(run, { capUsd: 0.1 })).toMatch(/at least 0\.11, is 0\.1/);
    expect(await refusalOf(run, { choice: 'stop', capUsd: 5 })).toMatch(/capUsd goes with raise/);
    expect(await refusalOf(run, { capUsd: 5, evidence: 'digest-of-yesterday' })).toMatch(/digest-of-yesterday/);
    expect(await refusalOf(run, { choice: 'approve' })).toMatch(/does not offer approve; it offers raise, stop/);

    await run.signal(decideSignal, { gate: 'budget', choice: 'raise', capUsd: 1, by: 'ada', evidence: open?.digest });
    expect(await run.result()).toMatchObject({ stage: 'done', spent: { teacherUsd: 0.25, teacherCalls: 1 } });
    expect(rooms.at(-1)).toEqual({ capUsd: 1, spentUsd: expect.closeTo(0.03, 10) as number });
    const after = await status(run);
    expect(after.budget).toMatchObject({ capUsd: 1, reached: [{ gate: 'budget', attempt: 1 }] });
    expect(after.decisions.filter(({ gate }) => gate === 'budget')).toMatchObject([
      { choice: 'raise', capUsd: 1, by: 'ada', accepted: true, override: false, source: 'signal' },
    ]);
  });
});

test('evidence of an earlier opening decides nothing', async () => {
  const script = { recipe: recipe({ capUsd: 0.1 }), onAsk: dearTeacher([]) };
  await harness.scenario(script, async (run) => {
    const first = (await untilGate(run, 'budget')).open;
    await run.signal(decideSignal, { gate: 'budget', choice: 'raise', capUsd: 0.2 });
    await untilGate(run, 'budget', 2);
    expect(await refusalOf(run, { capUsd: 5, evidence: first?.digest })).toMatch(/that was attempt 1 at gate budget/);
    await run.signal(decideSignal, { gate: 'budget', choice: 'stop', by: 'ada' });
    expect(await run.result()).toMatchObject({ stage: 'stopped', spent: { teacherUsd: 0.06, gpuSeconds: 3 } });
  });
});

test('a call that had to show whether the server takes key and model is spent like any other', async () => {
  const rooms: (BudgetRoom | undefined)[] = [];
  const checked = { teacherUsd: 0.02, teacherCalls: 1 };
  const script = { recipe: recipe({ capUsd: 1 }), onAsk: dearTeacher(rooms), checked };
  await harness.scenario(script, async (run) => {
    const { spent } = await run.result();
    expect(spent).toMatchObject({ teacherUsd: expect.closeTo(0.27, 10) as number, teacherCalls: 2 });
    // Two drafts and an evaluation at a cent each, and the call.
    expect(rooms).toEqual([{ capUsd: 1, spentUsd: expect.closeTo(0.05, 10) as number }]);
  });
});

test('a phase that comes to the cap is run again after a raise, with what it spent counted once', async () => {
  const rooms: (BudgetRoom | undefined)[] = [];
  const onTrain = (name: string, room: BudgetRoom | undefined) => {
    if (name !== 'B1') return;
    rooms.push(room);
    if (rooms.length === 1) throw atTheCap({ cost: { gpuSeconds: 1 }, nextUsd: 0.02, restUsd: null });
  };
  const script = { recipe: recipe({ capUsd: 0.32 }), onTrain };
  await harness.scenario(script, async (run, { calls }) => {
    const { open } = await untilGate(run, 'budget');
    // Drafts and base 3 s, teacher $0.25, Phase A 3 s, and a second of the training that stopped.
    expect(open?.budget).toMatchObject({ stage: 'phaseB', gpuSeconds: 7, teacherUsd: 0.25 });
    expect(await status(run)).toMatchObject({ promoted: { phase: 'A' }, phases: [{ phase: 'A' }] });
    await run.executeUpdate(decideUpdate, { args: [{ gate: 'budget', choice: 'raise', capUsd: 2, by: 'ada' }] });
    // Phase A 3 s, B 4 s, C 8 s.
    expect(await run.result()).toMatchObject({ stage: 'done', spent: { teacherUsd: 0.25, gpuSeconds: 18 } });
    expect(rooms.map((room) => room?.capUsd)).toEqual([0.32, 2]);
    expect(rooms[1]?.spentUsd).toBeCloseTo(0.31, 10);
    // Within a phase what it has spent itself counts as well.
    const evaluations = calls.filter(({ activity, input }) => activity === 'evaluate' && input['name'] === 'B1/direct');
    expect(evaluations.map(({ input }) => (input['budget'] as BudgetRoom).spentUsd)).toEqual([
      expect.closeTo(0.34, 10) as number,
    ]);
  });
});

test('stop keeps the promoted model and writes the report; a deadline stops too', async () => {
  const onTrain = (name: string) => {
    if (name === 'B1') throw atTheCap({ cost: { gpuSeconds: 1 }, nextUsd: 0.02, restUsd: null });
  };
  const script = { recipe: recipe({ capUsd: 0.32 }, { timing: { deadlineMinutes: 0.01 } }), onTrain };
  await harness.scenario(script, async (run, { calls, saved }) => {
    expect(await run.result()).toMatchObject({
      stage: 'stopped',
      promoted: { phase: 'A' },
      conclusion: 'Stopped at the budget gate during phaseB by deadline: the adapter of Phase A stays the model.',
      report: { path: '/report.html' },
      spent: { gpuSeconds: 7 },
    });
    expect(calls.filter(({ activity }) => activity === 'writeReport')).toHaveLength(1);
    expect(saved.get(run.workflowId)?.stage).toBe('stopped');
    expect((await status(run)).decisions.at(-1)).toMatchObject({ gate: 'budget', choice: 'stop', source: 'deadline' });
    expect((await gates(run)).open).toBeNull();
  });
});

test('near the cap it warns once: in the state, and where notices go', async () => {
  const webhook = { url: 'http://127.0.0.1:9/gates', secretEnv: 'RATCHET_WEBHOOK_SECRET' };
  const script = { recipe: recipe({ capUsd: 0.5, warnShare: 0.6 }, { webhook }) };
  await harness.scenario(script, async (run, { calls }) => {
    expect(await run.result()).toMatchObject({ stage: 'done' });
    const { budget } = await status(run);
    // Teacher and drafts leave $0.28; Phase A brings it to $0.31.
    expect(budget?.warnings).toEqual([
      { at: expect.any(String) as string, spentUsd: expect.closeTo(0.31, 10) as number, capUsd: 0.5 },
    ]);
    const notices = calls.flatMap(({ activity, input }) =>
      activity === 'notifyGate' ? [input['notice'] as GateNotice] : [],
    );
    expect(notices).toMatchObject([{ kind: 'warning', gate: 'budget', options: [], budget: { capUsd: 0.5 } }]);
  });
});
