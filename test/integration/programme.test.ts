import { Worker } from '@temporalio/worker';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { takeSnapshot } from '../../cli/temporal/snapshot.ts';
import { ledgerNow } from '../../cli/watch/ledger-now.ts';
import type { ProgrammeState } from '../../domain/programme.ts';
import type { ServiceName } from '../../infra/embedded/index.ts';
import { liveRecord } from '../../infra/embedded/records.ts';
import type { GatesView } from '../../workflows/messages.ts';
import { ratchet, temporal } from './command-line.ts';
import { startWholeStack } from './whole-stack.ts';
import type { WholeStack } from './whole-stack.ts';

const quick = { recipe: 'test/integration/quick.yaml' };
let stack: WholeStack;
beforeAll(async () => {
  stack = await startWholeStack();
});
afterAll(() => stack.stop());

const start = (run: string, more: object = {}) => stack.begin('selfImprovement', run, { ...quick, ...more });
const signal = (run: string, decision: object) =>
  temporal(stack.env, [
    'workflow',
    'signal',
    '--workflow-id',
    run,
    '--name',
    'decide',
    '--input',
    JSON.stringify(decision),
  ]);
const state = (run: string) => stack.client.workflow.getHandle(run).query<ProgrammeState>('status');
const gates = (run: string) => stack.client.workflow.getHandle(run).query<GatesView>('gates');
const polling = { timeout: 240_000, interval: 250 };
/** Polls until the run is there; a run that failed is there for good, and its conclusion says why. */
async function until(run: string, wanted: Partial<ProgrammeState>): Promise<void> {
  await expect
    .poll(async () => {
      const now = await state(run).catch(() => null);
      return now?.stage === 'failed' ? { ...wanted, failed: now.conclusion } : now;
    }, polling)
    .toMatchObject(wanted);
  expect((await state(run)).stage === 'failed' ? (await state(run)).conclusion : null).toBeNull();
}
const untilGate = (run: string, gate: 'A' | 'B' | 'C') => until(run, { waiting: gate });
const whatCameOut = ({ phases }: ProgrammeState) =>
  phases.map(({ phase, attempt, evaluations, evidence, steps, experiments }) => ({
    attempt: `${phase}${attempt}`,
    steps,
    verdict: evidence?.verdict,
    counts: evaluations.map(({ name, n, correct, predictedYes, unparsable }) => ({
      name,
      n,
      correct,
      predictedYes,
      unparsable,
    })),
    items: evaluations.map(({ items }) => items.sha256),
    judged: experiments?.questionQuality?.compared,
  }));

describe('the whole programme on the embedded stack', () => {
  let undisturbed: ReturnType<typeof whatCameOut>;

  test('started, watched and decided with the temporal command alone', { timeout: 600_000 }, async () => {
    await start('quick-1');
    await untilGate('quick-1', 'A');
    const queried = await temporal(stack.env, [
      'workflow',
      'query',
      '--workflow-id',
      'quick-1',
      '--type',
      'gates',
      '--output',
      'json',
    ]);
    expect(queried).toContain((await gates('quick-1')).open?.digest ?? 'no digest');

    await signal('quick-1', { gate: 'B', choice: 'approve', by: 'ada' });
    await signal('quick-1', { gate: 'A', choice: 'approve', by: 'ada', note: 'by hand' });
    await untilGate('quick-1', 'B');
    await signal('quick-1', { gate: 'B', choice: 'approve', by: 'ada', note: 'by hand' });
    await untilGate('quick-1', 'C');
    await signal('quick-1', { gate: 'C', choice: 'approve', by: 'ada', note: 'by hand' });
    expect(await stack.client.workflow.getHandle('quick-1').result()).toMatchObject({
      stage: 'done',
      promoted: { phase: 'C' },
    });
    const final = await state('quick-1');
    expect(final.decisions.map(({ gate, accepted, by }) => `${gate} ${accepted} ${by}`)).toEqual([
      'B false ada',
      'A true ada',
      'B true ada',
      'C true ada',
    ]);
    expect(final.teacher?.name).toMatch(/^simulated/);
    const quality = final.phases.at(-1)?.experiments?.questionQuality;
    expect(quality).toMatchObject({ judge: { name: 'simulated-judge' }, compared: { items: 12, unjudged: 0 } });
    expect(quality?.calibration?.table).toMatchObject({ win: { win: 2 }, loss: { loss: 2 } });
    expect(final.phases.at(-1)?.evidence?.questionQuality).toEqual(quality);
    undisturbed = whatCameOut(final);
  });

  test('leaves a small history, which replays', async () => {
    const histories = await Promise.all(
      ['quick-1', 'quick-1/phaseA-1', 'quick-1/phaseB-1', 'quick-1/phaseC-1'].map((id) =>
        stack.client.workflow.getHandle(id).fetchHistory(),
      ),
    );
    const events = histories.flatMap((history) => history.events ?? []);
    expect(events.length).toBeLessThan(1000);
    const largest = Math.max(...events.map((event) => JSON.stringify(event).length));
    expect(largest).toBeLessThan(64 * 1024);
    for (const [index, history] of histories.entries()) {
      const workflowsPath = new URL('../../workflows/index.ts', import.meta.url).pathname;
      await Worker.runReplayHistory(
        { workflowsPath },
        history,
        index === 0 ? 'quick-1' : `quick-1/phase${'ABC'[index - 1] ?? ''}-1`,
      );
    }
  });

  test('ends the same when every process is killed once', { timeout: 900_000 }, async () => {
    await start('quick-2', { overrides: { 'gates.policy': 'auto' } });
    const kill = async (name: ServiceName) => {
      const record = liveRecord(stack.home, name);
      expect(record, `${name} runs`).toBeDefined();
      process.kill(record?.pid ?? 0, 'SIGKILL');
      await expect
        .poll(() => liveRecord(stack.home, name))
        .toMatchObject({ state: 'ready', restarts: (record?.restarts ?? 0) + 1 });
    };
    const during = (stage: 'drafts' | 'phaseA' | 'phaseB') => until('quick-2', { stage });
    await during('drafts');
    await kill('orchestrator');
    await kill('gpu');
    await during('phaseA');
    await kill('s3');
    await kill('gpu');
    await kill('temporal');
    await during('phaseB');
    await kill('teacher');
    await kill('api');
    expect(await stack.client.workflow.getHandle('quick-2').result()).toMatchObject({ stage: 'done' });
    expect(whatCameOut(await state('quick-2'))).toEqual(undisturbed);
  });

  test(
    'cancelled with the temporal command: the trainer ends, the run says what is kept, another starts from there',
    { timeout: 600_000 },
    async () => {
      await start('quick-3', { overrides: { 'gates.policy': 'auto', 'phaseB.epochs': 200 } });
      await until('quick-3', { stage: 'phaseB' });
      // What a loss costs shows while the training that suffered it goes on.
      const now = () => takeSnapshot(stack.client, 'quick-3');
      const steps = async () => (await now()).activities.find(({ type }) => type === 'trainSft')?.progress?.done;
      await expect.poll(steps).toBeGreaterThan(0);
      process.kill(liveRecord(stack.home, 'gpu')?.pid ?? 0, 'SIGKILL');
      await expect.poll(async () => ledgerNow(await now())).toMatchObject({ lost: 1, byKind: { 'host-lost': 1 } });
      await temporal(stack.env, ['workflow', 'cancel', '--workflow-id', 'quick-3']);
      await expect(stack.client.workflow.getHandle('quick-3').result()).rejects.toThrow();
      expect(await state('quick-3')).toMatchObject({
        stage: 'cancelled',
        conclusion: expect.stringContaining('runs/quick-3/') as string,
      });

      const from = { run: 'quick-3', at: 'phaseB' };
      await start('quick-4', { overrides: { 'gates.policy': 'auto' }, from });
      expect(await stack.client.workflow.getHandle('quick-4').result()).toMatchObject({ stage: 'done' });
      expect(whatCameOut(await state('quick-4'))).toEqual(undisturbed);
    },
  );

  test(
    'a gate that 24 questions cannot settle is extended, and judged on all of them',
    { timeout: 600_000 },
    async () => {
      const overrides = { 'gates.A.criteria': [{ metric: 'accuracy', atLeast: 0.6 }] };
      await start('quick-5', { overrides });
      await untilGate('quick-5', 'A');
      const before = (await gates('quick-5')).open;
      expect(before).toMatchObject({ verdict: 'inconclusive', extension: { items: expect.any(Number) as number } });
      await signal('quick-5', { gate: 'A', choice: 'extend', evidence: before?.digest, by: 'ada' });
      await expect
        .poll(async () => (await gates('quick-5')).open?.digest ?? before?.digest, polling)
        .not.toBe(before?.digest);

      const n = 24 + (before?.extension?.items ?? 0);
      const { phases, data, drafts, baseEvaluation } = await state('quick-5');
      expect(phases[0]?.evidence?.criteria[0]).toMatchObject({ n });
      expect(phases[0]?.earlierEvidence?.[0]?.digest).toBe(before?.digest);
      expect([data?.evaluation.rows, drafts?.evaluation.rows, baseEvaluation?.n]).toEqual([n, n, n]);
      // Evidence from before is stale now: named as such, and the gate still waits.
      await signal('quick-5', { gate: 'A', choice: 'approve', evidence: before?.digest, note: 'x' });
      await expect
        .poll(async () => (await state('quick-5')).decisions.at(-1), polling)
        .toMatchObject({ accepted: false });
      await signal('quick-5', { gate: 'A', choice: 'abort', by: 'ada' });
      expect(await stack.client.workflow.getHandle('quick-5').result()).toMatchObject({ stage: 'stopped' });
    },
  );
});

describe('the ratchet command on the same run', () => {
  test('status, gates and report print JSON', async () => {
    const status = await ratchet(stack.env, ['status', 'quick-1', '--json']);
    expect(status).toMatchObject({ code: 0 });
    expect(JSON.parse(status.stdout)).toMatchObject({ run: 'quick-1', stage: 'done' });
    const shown = await ratchet(stack.env, ['gates', 'quick-1', '--json']);
    expect(JSON.parse(shown.stdout)).toMatchObject({ open: null });
    const report = await ratchet(stack.env, ['report', 'quick-1', '--json']);
    expect(report).toMatchObject({ code: 0 });
  });

  test('an unknown run is named, with a code of its own', async () => {
    const status = await ratchet(stack.env, ['status', 'no-such-run']);
    expect(status.code).not.toBe(0);
    expect(status.stderr).toContain('no-such-run');
  });
});
