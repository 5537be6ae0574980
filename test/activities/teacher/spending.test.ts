import { spawn } from 'node:child_process';
import { resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { createPace } from '../../../activities/teacher/pace.ts';
import type { Caps } from '../../../activities/teacher/pace.ts';
import { shareCaps } from '../../../activities/teacher/shared-caps.ts';
import type { Store } from '../../../activities/store/store.ts';
import type { BudgetNews } from '../../../domain/budget.ts';
import { startTestS3 } from '../../setup/s3.ts';
import type { TestS3 } from '../../setup/s3.ts';
import { sendJson } from '../../teacher/openai-server.ts';
import { ask, askInput, someQuestions } from '../../teacher/stage.ts';
import { callUsd, exact, nano, paid, simulated } from '../../teacher/teachers.ts';

let s3: TestS3;
let store: Store;
beforeAll(async () => {
  s3 = await startTestS3();
  store = s3.newStore();
});
afterAll(() => s3.stop());

/** What the budget gate is told. */
const newsOf = (error: unknown): BudgetNews =>
  ((error as { details?: { budget: BudgetNews }[] }).details?.[0] as { budget: BudgetNews }).budget;

describe('the cap', () => {
  it('holds under concurrency, and a raised cap goes on from what was paid', async () => {
    const capUsd = 30 * callUsd;
    const server = await paid();
    const recipe = (cap: number) => ({
      teacher: { ...nano, maxTokens: 106, concurrency: 64 },
      budget: { capUsd: cap },
    });
    const more = { run: 'capped', questions: someQuestions(100) };
    const error: unknown = await ask(store, server, await askInput(store, recipe(capUsd), more)).catch(
      (caught: unknown) => caught,
    );
    expect(error).toMatchObject({ type: 'BudgetExceeded', nonRetryable: true });
    expect(server.seen.paid * callUsd).toBeLessThanOrEqual(capUsd);
    expect(server.seen.paid).toBeGreaterThan(10);
    const kept = server.seen.paid;
    await expect(ask(store, server, await askInput(store, recipe(capUsd), more))).rejects.toMatchObject({
      type: 'BudgetExceeded',
    });
    expect(server.seen.paid * callUsd).toBeLessThanOrEqual(capUsd);
    const asked = await ask(store, server, await askInput(store, recipe(1), more));
    expect(server.seen.paid).toBe(100);
    expect(kept).toBeGreaterThan(0);
    expect(asked.costUsd).toBeCloseTo(100 * callUsd, 10);
  });

  it('of $1.00 holds at every moment with 64 callers, to the cent', async () => {
    const price = { inputPerMillionUsd: 1, outputPerMillionUsd: 200 };
    const maxTokens = 110;
    const worstUsd = (messages: { content: string }[]): number =>
      (messages.reduce((sum, { content }) => sum + Buffer.byteLength(content), 0) * price.inputPerMillionUsd +
        maxTokens * price.outputPerMillionUsd) /
      1e6;
    const dearUsd = (100 * price.inputPerMillionUsd + 50 * price.outputPerMillionUsd) / 1e6;
    let inFlightUsd = 0;
    let inFlight = 0;
    const seen: { usd: number; inFlight: number }[] = [];
    const server = await paid({
      behave: ({ messages }, response) => {
        const worst = worstUsd(messages);
        inFlightUsd += worst;
        inFlight += 1;
        seen.push({ usd: server.seen.paid * dearUsd + inFlightUsd, inFlight });
        // Answers take a while, each another one.
        setTimeout(
          () => {
            inFlightUsd -= worst;
            inFlight -= 1;
            server.seen.paid += 1;
            sendJson(response, 200, {
              model: 'm',
              choices: [{ message: { content: '**YES**' }, finish_reason: 'stop' }],
              usage: { prompt_tokens: 100, completion_tokens: 50, total_tokens: 150 },
            });
          },
          100 + (seen.length % 50),
        );
        return true;
      },
    });
    const recipe = { teacher: { ...nano, maxTokens, price, concurrency: 64 }, budget: { capUsd: 1 } };
    const input = await askInput(store, recipe, { run: 'one-dollar', questions: someQuestions(200) });
    const error: unknown = await ask(store, server, input).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ type: 'BudgetExceeded' });
    // Both count the same.
    expect(newsOf(error).cost.teacherUsd).toBeCloseTo(server.seen.paid * dearUsd, 10);
    expect(Math.max(...seen.map(({ usd }) => usd))).toBeLessThanOrEqual(1);
    expect(Math.max(...seen.map((moment) => moment.inFlight))).toBeGreaterThan(10);
    expect(server.seen.paid * dearUsd).toBeGreaterThan(0.8);
  });

  it('counts all that the run has spent before, and says at the end what the gate needs', async () => {
    const server = await paid();
    const teacher = { ...nano, maxTokens: 107, concurrency: 4 };
    const input = await askInput(store, { teacher }, { run: 'after-others', questions: someQuestions(40) });
    const error: unknown = await ask(store, server, {
      ...input,
      budget: { capUsd: 7, spentUsd: 7 - 12.5 * callUsd },
    }).catch((caught: unknown) => caught);
    expect(server.seen.paid).toBeLessThanOrEqual(12);
    expect(error).toMatchObject({ type: 'BudgetExceeded', details: [{ budget: expect.anything() as object }] });
    const { cost, nextUsd, restUsd } = newsOf(error);
    expect(cost.teacherUsd).toBeCloseTo(server.seen.paid * callUsd, 10);
    expect(nextUsd).toBeGreaterThan(callUsd);
    expect(restUsd).toBeCloseTo(nextUsd * (40 - server.seen.paid), 10);
    // The least that the gate takes is enough for the next call.
    const raised = { capUsd: 7 + nextUsd, spentUsd: 7 - 12.5 * callUsd };
    const before = server.seen.paid;
    await ask(store, server, { ...input, budget: raised }).catch(() => undefined);
    expect(server.seen.paid).toBeGreaterThan(before);
  });

  it('counts calls without an answer in later tries too: those that broke off, and those in flight at a kill', async () => {
    const broken = await paid({ behave: (_, response, n) => n <= 2 && (response.destroy(), true) });
    const teacher = { ...nano, maxTokens: 112, concurrency: 2, maxRetries: 1 };
    const input = await askInput(store, { teacher }, { run: 'broken-off', questions: someQuestions(2) });
    const first = await ask(store, broken, input);
    const again = await ask(store, broken, input);
    expect(broken.seen.paid).toBe(2);
    expect(first.costUsd).toBeGreaterThan(2 * callUsd);
    expect(again.costUsd).toBeCloseTo(first.costUsd, 12);
    const heartbeatDetails = { kind: 'teacher', label: '', done: 0, total: 2, startedAt: 0, unansweredUsd: 3 };
    const environment = new MockActivityEnvironment({ heartbeatDetails }, { logger: new DefaultLogger('ERROR') });
    const killed = await ask(store, broken, input, { environment });
    expect(killed.costUsd).toBeCloseTo(2 * callUsd + 3, 10);
  });

  it('input that the provider had cached is settled at its own price', async () => {
    const usage = { prompt_tokens: 1000, completion_tokens: 10, total_tokens: 1010 };
    const server = await paid({
      behave: (_, response) =>
        sendJson(response, 200, {
          model: 'gpt-4.1-nano',
          choices: [{ message: { content: '**YES**' }, finish_reason: 'stop' }],
          usage: { ...usage, prompt_tokens_details: { cached_tokens: 800 } },
        }),
    });
    const teacher = { ...nano, maxTokens: 113 };
    const input = await askInput(store, { teacher }, { run: 'cached', questions: someQuestions(3) });
    const asked = await ask(store, server, input);
    expect(asked.costUsd).toBeCloseTo((3 * (200 * 0.1 + 800 * 0.025 + 10 * 0.4)) / 1e6, 14);
  });
});

it('caps per minute are divided among the processes that ask, and whoever joins lets the others see it first', async () => {
  const joined: (() => void)[] = [];
  const join = async () => {
    const seen = { caps: [] as Caps[], pauses: [] as number[] };
    const pace = createPace();
    const watched = {
      ...pace,
      cap: (caps: Caps) => seen.caps.push(caps),
      pause: (ms: number) => seen.pauses.push(ms),
    };
    joined.push(await shareCaps(store, 'a model', { requestsPerMinute: 600, tokensPerMinute: null }, watched));
    return seen;
  };
  expect(await join()).toEqual({ caps: [{ requestsPerMinute: 600, tokensPerMinute: null }], pauses: [] });
  const [second, third] = await Promise.all([join(), join()]);
  expect([second, third].map(({ caps }) => caps[0]?.requestsPerMinute).sort()).toEqual([200, 300]);
  expect([...second.pauses, ...third.pauses]).toEqual([7500, 7500]);
  for (const leave of joined.splice(0)) leave();
  await expect
    .poll(async () => (await join()).caps[0]?.requestsPerMinute === 600 || (joined.pop()?.(), false))
    .toBe(true);
  for (const leave of joined) leave();
});

it('a request that hangs is given up and made again', async () => {
  const server = await paid({ behave: (_, response, n) => n === 1 && response.writeHead(200).write('{"choices"') });
  const teacher = { ...nano, maxTokens: 111, maxRetries: 1, timeoutSeconds: 1.5 };
  const input = await askInput(store, { teacher }, { run: 'hanging', questions: someQuestions(2) });
  const asked = await ask(store, server, input);
  expect(asked.report.problems).toBeUndefined();
  expect(server.seen.chats).toBe(3);
  // What hung may have been charged: it counts as the most that it could cost.
  expect(asked.costUsd).toBeGreaterThan(2 * callUsd);
});

it('killed half-way, its successor asks only for what is missing: at most the calls in flight are paid twice', async () => {
  const concurrency = 8;
  const server = await simulated({ RATCHET_SIMULATED_TEACHER_LATENCY_MS: '20' });
  const teacher = { model: 'simulated-teacher', maxTokens: 109, concurrency, ...exact };
  const input = await askInput(store, { teacher }, { run: 'killed', questions: someQuestions(200) });
  const script = resolve(import.meta.dirname, '../../teacher/ask-in-process.ts');
  const job = JSON.stringify({
    surroundings: s3.surroundings,
    // The same host: what came back and was not in S3 yet is found in its journal.
    cacheDir: store.cacheDir,
    baseUrl: server.baseUrl,
    input,
  });
  const child = spawn(process.execPath, [script], { env: { ...process.env, ASK_JOB: job }, stdio: 'ignore' });
  const ended = new Promise((done) =>
    child.once('exit', (_, signal) => {
      done(signal);
    }),
  );
  await expect.poll(async () => (await server.stats()).answered, { interval: 5 }).toBeGreaterThan(60);
  child.kill('SIGKILL');
  expect(await ended).toBe('SIGKILL');
  expect((await server.stats()).answered).toBeLessThan(200);
  const asked = await ask(store, server, input);
  expect(asked.report.byClass.valid).toBe(200);
  const { answered, paidTwice } = await server.stats();
  expect(paidTwice).toBeLessThanOrEqual(concurrency);
  expect(answered).toBe(200 + paidTwice);
});

it('the key appears in no error, artefact, heartbeat or output', async () => {
  const apiKey = 'sk-test-0123456789abcdef';
  const written: string[] = [];
  const [out, err] = [process.stdout.write.bind(process.stdout), process.stderr.write.bind(process.stderr)];
  const spy = (chunk: unknown): boolean => written.push(String(chunk)) > 0;
  process.stdout.write = spy;
  process.stderr.write = spy;
  const heartbeats: unknown[] = [];
  const errors: unknown[] = [];
  try {
    const strict = await paid({ key: 'sk-another-key' });
    const careless = await paid({
      behave: (_, response, n) =>
        n % 2 === 0 && sendJson(response, 400, { error: { message: `bad request with ${apiKey}` } }),
    });
    const input = await askInput(store, { teacher: { ...nano, maxTokens: 108 } }, { run: 'secret' });
    errors.push(await ask(store, { ...strict, apiKey }, input, { heartbeats }).catch((error: unknown) => error));
    await ask(store, { ...careless, apiKey }, input, { heartbeats });
  } finally {
    process.stdout.write = out;
    process.stderr.write = err;
  }
  expect(errors).toHaveLength(1);
  const objects = await Promise.all((await store.objects.list('')).map((key) => store.objects.read(key)));
  const failure = errors[0] as Error & { cause?: unknown; details?: unknown };
  const everything = [
    failure.message,
    failure.stack,
    JSON.stringify([failure.cause, failure.details]),
    JSON.stringify(heartbeats),
    ...written,
    ...objects.map((object) => object?.body),
  ].join('\n');
  expect(everything).toContain('bad request with [key]');
  expect(everything).not.toContain(apiKey);
});
