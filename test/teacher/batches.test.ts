import { setTimeout as delay } from 'node:timers/promises';
import { WorkflowFailedError } from '@temporalio/client';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type OpenAI from 'openai';
import type { TeacherResponse } from '../../domain/records.ts';
import type { BatchWait } from '../../domain/teacher-batches.ts';
import { lookWaitMs } from '../../domain/teacher-batches.ts';
import { rootMessage } from '../../workflows/failure.ts';
import { startTeacherStack } from '../setup/teacher-stack.ts';
import type { TeacherStack } from '../setup/teacher-stack.ts';
import { startPaidBatches } from './paid-batches.ts';
import { someQuestions } from './stage.ts';
import { exact, simulated } from './teachers.ts';

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

/** A recipe that sends batches to a server and looks at them every `pollMs`. */
const recipe = ({ baseUrl }: Double, batch: object, pollMs = 100) => ({
  teacher: { mode: 'batch', baseUrl, model: 'simulated-teacher', ...exact, batch: { pollMinutes: pollMs / 60_000, ...batch } },
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
  expect(second.at(-1)?.request_counts?.total).toBe(missing - failed.length);

  const events = await eventsOf('large');
  console.log('EVENTS', events.length, batches.length, JSON.stringify(events).length, Object.groupBy(events.map(e=>e.activityTaskScheduledEventAttributes?.activityType?.name ?? ''), (x)=>x));
  console.log((await batchesAt(double)).map((b)=>[b.id,b.status,JSON.stringify(b.request_counts),b.metadata?.file,b.created_at]));
  expect(events.length).toBeLessThan(400);
});
