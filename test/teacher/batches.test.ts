import { setTimeout as delay } from 'node:timers/promises';
import { WorkflowFailedError } from '@temporalio/client';
import { afterAll, beforeAll, expect, it } from 'vitest';
import OpenAI from 'openai';
import { checkTeacher } from '../../activities/recipes/check-world.ts';
import type { CheckDeps } from '../../activities/recipes/check-world.ts';
import type { TeacherResponse } from '../../domain/records.ts';
import type { BatchWait } from '../../domain/teacher-batches.ts';
import { lookWaitMs } from '../../domain/teacher-batches.ts';
import { rootMessage } from '../../workflows/failure.ts';
import { startTeacherStack } from '../setup/teacher-stack.ts';
import type { TeacherStack } from '../setup/teacher-stack.ts';
import { startPaidBatches } from './paid-batches.ts';
import { someQuestions } from './stage.ts';
import { exact, paid, simulated } from './teachers.ts';

let stack: TeacherStack;
beforeAll(async () => {
  stack = await startTeacherStack({ baseUrl: 'http://127.0.0.1:1/v1', apiKey: 'a-key' });
});
afterAll(() => stack.stop());

type Double = { baseUrl: string };
/** What lies at the double. */
const batchesAt = async ({ baseUrl }: Double): Promise<OpenAI.Batch[]> =>
  ((await (await fetch(`${baseUrl}/batches?limit=100`)).json()) as { data: OpenAI.Batch[] }).data;

const settings = (more: Record<string, string>) =>
  Object.fromEntries(Object.entries(more).map(([name, value]) => [`RATCHET_SIMULATED_TEACHER_${name}`, value]));

/** Requests of one test are not those of another, whose answers lie in the same bucket. */
let maxTokens = 300;
/** A recipe that sends batches to a server and looks at them every `pollMs`. */
const recipe = ({ baseUrl }: Double, batch: object, pollMs = 50) => ({
  teacher: {
    ...{ mode: 'batch', baseUrl, model: 'simulated-teacher', maxTokens: (maxTokens += 1), ...exact },
    batch: { pollMinutes: pollMs / 60_000, ...batch },
  },
  reliability: { heartbeatSeconds: 5 },
});

const eventsOf = async (run: string) => (await stack.client.workflow.getHandle(run).fetchHistory()).events ?? [];

/** Waits for a moment at which the double or the run is in a certain state. */
async function until<Value>(look: () => Promise<Value | undefined>): Promise<Value> {
  for (;;) {
    const value = await look().catch(() => undefined);
    if (value !== undefined) return value;
    await delay(10);
  }
}

const kill = (): void => {
  process.kill(stack.workerPid(), 'SIGKILL');
};

it('10,000 rows, a batch that expires, rows that fail, two kills: every row once, nothing paid twice', async () => {
  const double = await simulated(
    settings({ BATCH_MS: '1500', BATCH_ANSWER_MS: '400', BATCH_FAULTS: 'row:0.005,filtered:0.001,expired:0.6' }),
  );
  const questions = someQuestions(10_000);
  const limits = recipe(double, { maxRequestsPerFile: 2000, maxRounds: 6 }, 300);
  const handle = await stack.start(await stack.prepare('large', questions, limits));

  // The second batch is there, and nobody has been told.
  await until(async () => ((await batchesAt(double)).length === 2 ? true : undefined));
  kill();
  const waits = await until(async () => {
    const wait = await handle.query<BatchWait>('batches');
    return wait.nextLookAt !== null && wait.batches.length === 5 ? wait : undefined;
  });
  kill();
  expect(waits.batches.map(({ total }) => total)).toEqual([2000, 2000, 2000, 2000, 2000]);

  const asked = await handle.result();
  const rows = await stack.rows(asked);
  expect(rows.map(({ id }) => id)).toEqual(questions.map(({ id }) => id));
  const failed = rows.filter((row) => row.class === 'failed');
  expect(failed.length).toBeGreaterThan(2);
  expect(new Set(failed.map(({ problem, error }) => `${problem}: ${error}`))).toEqual(
    new Set(['content-filter: 400 The content filter refused this.']),
  );
  expect(rows.filter((row) => row.class === 'valid')).toHaveLength(10_000 - failed.length);
  expect(asked).toMatchObject({ calls: 10_000 - failed.length, reused: 0, teacher: 'simulated-teacher' });

  const { answered, paidTwice } = await double.stats();
  expect({ answered, paidTwice }).toEqual({ answered: 10_000 - failed.length, paidTwice: 0 });
  const batches = await batchesAt(double);
  expect(batches.map(({ status }) => status).sort()).toContain('expired');
  expect(new Set(batches.map(({ metadata }) => metadata?.['ratchet'])).size).toBe(batches.length);
  // Sent again is only what had no answer: half of the batch that expired, and what failed.
  const [first, second] = [batches.slice(-5), batches.slice(0, -5)];
  const missing = first.reduce((sum, { request_counts: counts }) => sum + 2000 - (counts?.completed ?? 0), 0);
  const sent = second.at(-1)?.request_counts?.total ?? 0;
  expect(sent).toBeLessThanOrEqual(missing);
  expect(sent).toBeGreaterThanOrEqual(missing - failed.length);

  const events = await eventsOf('large');
  expect(events.length).toBeLessThan(300);
}, 300_000);

it('the window of a day costs the history few events, however many rows are waited for', async () => {
  const double = await simulated(settings({ BATCH_MS: '3600000' }));
  const handle = await stack.start(await stack.prepare('waiting', someQuestions(5), recipe(double, {}, 1)));
  await until(async () => ((await handle.describe()).historyLength > 80 ? true : undefined));
  await handle.cancel();
  await expect(handle.result()).rejects.toThrow(WorkflowFailedError);
  const events = await eventsOf('waiting');
  const fired = events.flatMap((event, index) => (event.timerFiredEventAttributes ? [index] : []));
  const perLook = ((fired.at(-1) ?? 0) - (fired[0] ?? 0)) / (fired.length - 1);
  let inADay = 0;
  for (let waitedMs = 0; waitedMs < 24 * 3_600_000; inADay += 1) waitedMs += lookWaitMs(inADay, 10);
  // Temporal takes 51,200 events, and warns at 10,240.
  expect(inADay * perLook).toBeLessThan(1700);
});

it('cancelled, it cancels its batches at the provider and keeps what they had answered', async () => {
  const double = await simulated(settings({ BATCH_MS: '8000', BATCH_CANCEL_MS: '300' }));
  const questions = someQuestions(200);
  const input = (run: string, mode: 'batch' | 'live') => {
    const { teacher, reliability } = recipe(double, { maxRequestsPerFile: 100 });
    return stack.prepare(run, questions, { teacher: { ...teacher, mode, maxTokens: 299 }, reliability });
  };
  const handle = await stack.start(await input('cancelled', 'batch'));
  await until(async () => {
    const batches = await batchesAt(double);
    return (
      (batches.length === 2 && batches.every(({ request_counts: counts }) => (counts?.completed ?? 0) > 3)) || undefined
    );
  });
  await handle.cancel();
  await expect(handle.result()).rejects.toThrow(WorkflowFailedError);
  const batches = await batchesAt(double);
  expect(batches.map(({ status }) => status)).toEqual(['cancelled', 'cancelled']);
  const { answered } = await double.stats();
  expect(answered).toBeGreaterThan(6);
  // Whoever asks for the rest pays for the rest.
  const { asked } = await stack.run(await input('after-cancelling', 'live'));
  expect(asked).toMatchObject({ reused: answered, calls: 200 - answered });
  expect((await double.stats()).paidTwice).toBe(0);
});

const failureOf = async (run: string, input: Promise<Parameters<TeacherStack['start']>[0]>): Promise<unknown> => {
  const handle = await stack.start(await input);
  return handle.result().then(
    () => `${run} did not fail`,
    (error: unknown) => (error as WorkflowFailedError).cause,
  );
};

it('a batch that is refused for good ends the stage with its reason and a fix, and the others are cancelled', async () => {
  const double = await simulated(settings({ BATCH_MS: '600000', BATCH_FAULTS: 'invalid:0.05' }));
  const limits = recipe(double, { maxRequestsPerFile: 10 });
  const error = await failureOf('refused', stack.prepare('refused', someQuestions(40), limits));
  expect(error).toMatchObject({ type: 'TeacherRejected', nonRetryable: true });
  expect(rootMessage(error)).toBe(
    'batch batch_simulated_3 was refused (invalid_request): Told to refuse this batch. (line 1). What was answered is kept. Fix: correct what it names, or set teacher.mode: live',
  );
  expect((await batchesAt(double)).map(({ status }) => status)).toEqual([
    'cancelled',
    'failed',
    'cancelled',
    'cancelled',
  ]);
});

it('what the full queue of the provider refuses is sent when others are done, and that is no round', async () => {
  const double = await simulated(settings({ BATCH_FAULTS: 'full:0.2' }));
  const limits = recipe(double, { maxRequestsPerFile: 10, maxRounds: 1, thenLive: false });
  const { asked } = await stack.run(await stack.prepare('full', someQuestions(40), limits));
  expect(asked.report.byClass.valid).toBe(40);
  const files = (await batchesAt(double)).map(({ status, metadata }) => `${metadata?.['file']} ${status}`);
  expect(files.reverse()).toEqual([
    '1-1 failed',
    '1-2 completed',
    '1-3 failed',
    '1-4 completed',
    '2-1 completed',
    '2-2 completed',
  ]);
});

it.each([
  [true, { valid: 12, failed: 0 }],
  [false, { valid: 0, failed: 12 }],
])('what batches never answer is asked live (thenLive: %s) or fails by name', async (thenLive, byClass) => {
  const double = await simulated(settings({ BATCH_FAULTS: 'row:1' }));
  const run = `then-live-${thenLive}`;
  const { asked } = await stack.run(
    await stack.prepare(run, someQuestions(12), recipe(double, { maxRounds: 2, thenLive })),
  );
  expect(asked.report.byClass).toMatchObject(byClass);
  expect(await batchesAt(double)).toHaveLength(2);
  const named = { class: 'failed', problem: 'server-error', error: '500 The server had an error.' };
  const [row] = await stack.rows(asked);
  expect(row).toMatchObject(thenLive ? { class: 'valid' } : named);
});

it('the cap: a batch is refused before anything is uploaded, waits for its turn, and costs half of what calls cost', async () => {
  const server = await startPaidBatches();
  try {
    const capped = (capUsd: number) => ({
      teacher: {
        mode: 'batch',
        baseUrl: server.baseUrl,
        model: 'gpt-4.1-nano',
        // The most that a request can cost: $0.02 in a batch, for what comes out.
        maxTokens: 100_000,
        batch: { pollMinutes: 0.001, maxRequestsPerFile: 10 },
      },
      budget: { capUsd },
    });
    const questions = someQuestions(20);
    const error = await failureOf('too-dear', stack.prepare('too-dear', questions, capped(0.15)));
    expect(error).toMatchObject({ cause: { type: 'BudgetExceeded', nonRetryable: true } });
    expect(rootMessage(error)).toMatch(
      /^budget.capUsd: \$0.0000 of \$0.1500 are spent, and a batch of 10 requests may cost \$0.20\d\d\. Nothing of it was sent/,
    );
    const file = { file: new File(['{}'], 'first.jsonl'), purpose: 'batch' as const };
    const client = new OpenAI({ apiKey: 'a-key', baseURL: server.baseUrl });
    expect((await client.files.create(file)).id).toBe('file-simulated-1');

    const { asked } = await stack.run(await stack.prepare('fits', questions, capped(0.25)));
    const files = (await batchesAt(server)).map(({ metadata }) => metadata?.['file']);
    expect(files.reverse()).toEqual(['1-1', '2-1']);
    const rows = await stack.rows(asked);
    const sum = (of: (row: TeacherResponse) => number): number => rows.reduce((all, row) => all + of(row), 0);
    const liveUsd = (sum((row) => row.inputTokens) * 0.1 + sum((row) => row.outputTokens) * 0.4) / 1e6;
    expect(liveUsd).toBeGreaterThan(0);
    expect(asked.costUsd).toBeCloseTo(liveUsd / 2, 12);
    expect(sum((row) => row.costUsd)).toBeCloseTo(liveUsd / 2, 12);
    const again = await stack.run(await stack.prepare('again', questions, capped(0)));
    expect(again.asked).toMatchObject({ costUsd: 0, calls: 0, reused: 20 });
  } finally {
    await server.stop();
  }
});

it('a server without a Batch API is named, with what to do', async () => {
  const server = await paid();
  const teacher = { mode: 'batch', baseUrl: server.baseUrl, model: 'gpt-4.1-nano', batch: { pollMinutes: 0.001 } };
  const error = await failureOf('no-batches', stack.prepare('no-batches', someQuestions(3), { teacher }));
  expect(rootMessage(error)).toMatch(/takes no files for batches.*Fix: set teacher.mode: live$/);
  // Before a run starts, it is a problem of its recipe.
  const deps = { surroundings: { openai: { baseUrl: server.baseUrl } } } as CheckDeps;
  const { recipe: refused } = await stack.prepare('refused-early', [], { teacher });
  expect((await checkTeacher(deps, refused)).problems).toMatchObject([
    { type: 'InvalidRecipe', field: 'teacher.mode' },
  ]);
});
