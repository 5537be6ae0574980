import type { ServerResponse } from 'node:http';
import { CancelledFailure } from '@temporalio/common';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Store } from '../../../activities/store/store.ts';
import type { TeacherResponse } from '../../../domain/records.ts';
import { startTestS3 } from '../../setup/s3.ts';
import type { TestS3 } from '../../setup/s3.ts';
import { sendJson } from '../../teacher/openai-server.ts';
import { ask, askInput, quietEnvironment, someQuestions } from '../../teacher/stage.ts';
import { callUsd, exact, nano, paid, simulated } from '../../teacher/teachers.ts';

let s3: TestS3;
let store: Store;
beforeAll(async () => {
  s3 = await startTestS3();
  store = s3.newStore();
});
afterAll(() => s3.stop());

describe('a teacher stage', () => {
  it('asks every question, holds answers against the truth, and calls the simulated teacher simulated', async () => {
    const { baseUrl } = await simulated();
    const heartbeats: unknown[] = [];
    const input = await askInput(store, { teacher: { model: 'gpt-4.1-nano' } }, { run: 'whole', attempts: 3 });
    const asked = await ask(store, { baseUrl }, input, { heartbeats });
    const rows = await store.rows<TeacherResponse>(asked.responses);
    expect(rows.map(({ id, attempt }) => `${id}/${attempt}`)).toEqual(
      someQuestions(20).flatMap(({ id }) => [0, 1, 2].map((attempt) => `${id}/${attempt}`)),
    );
    expect(asked).toMatchObject({ calls: 60, reused: 0, costUsd: 0, teacher: 'simulated-gpt-4.1-nano' });
    expect(asked.report.n).toBe(60);
    expect(asked.report.byClass.valid + asked.report.byClass.disagreed).toBe(60);
    expect(asked.report.byClass.disagreed).toBeGreaterThan(5);
    expect(rows.every((row) => (row.class === 'valid') === (row.answer === row.truth) && row.strict)).toBe(true);
    expect(new Set(rows.map((row) => row.requestDigest)).size).toBe(60);
    expect(heartbeats[0]).toMatchObject({ kind: 'teacher', done: 0, total: 60 });
    expect(heartbeats.at(-1)).toMatchObject({ kind: 'teacher', done: 60, total: 60 });
  });

  it('pays once: another run finds the answers, a repeated activity costs what the first did', async () => {
    const server = await paid();
    const input = await askInput(store, { teacher: nano }, { run: 'once' });
    const first = await ask(store, server, input);
    expect(first).toMatchObject({ calls: 20, reused: 0, teacher: 'gpt-4.1-nano-2025-04-14' });
    expect(first.costUsd).toBeCloseTo(20 * callUsd, 10);
    const again = await ask(store, server, input);
    expect(again).toEqual(first);
    const other = await ask(store, server, await askInput(store, { teacher: nano }, { run: 'other' }));
    expect(other).toMatchObject({ calls: 0, reused: 20, costUsd: 0 });
    expect(server.seen.chats).toBe(20);
    expect((await store.rows<TeacherResponse>(other.responses)).every((row) => row.reused && row.costUsd === 0)).toBe(
      true,
    );
  });

  it('a new run looks up what others paid, and pays for the rest', async () => {
    const server = await paid();
    const teacher = { ...nano, maxTokens: 133 };
    await ask(store, server, await askInput(store, { teacher }, { run: 'some', questions: someQuestions(40) }));
    const all = await askInput(store, { teacher }, { run: 'all', questions: someQuestions(100) });
    const asked = await ask(store, server, all);
    expect(asked).toMatchObject({ calls: 60, reused: 40 });
    expect(asked.costUsd).toBeCloseTo(60 * callUsd, 10);
    expect(server.seen.chats).toBe(100);
    // Asked again, it finds what it has paid itself.
    expect(await ask(store, server, all)).toEqual(asked);
  });

  it('a further attempt pays for what is new; changed parameters or prompts are other requests', async () => {
    const server = await paid();
    const more = { run: 'grown', questions: someQuestions(5) };
    await ask(store, server, await askInput(store, { teacher: { ...nano, temperature: 0.9 } }, more));
    const grown = await ask(
      store,
      server,
      await askInput(store, { teacher: { ...nano, temperature: 0.9 } }, { ...more, attempt: 2, attempts: 3 }),
    );
    expect(grown).toMatchObject({ calls: 10, reused: 5 });
    expect(server.seen.chats).toBe(15);
    const user = 'Is it so? {question} {draft}';
    await ask(
      store,
      server,
      await askInput(store, { teacher: { ...nano, temperature: 0.9 }, templates: { teacherUser: user } }, more),
    );
    expect(server.seen.chats).toBe(20);
    expect(server.seen.bodies.at(-1)).toContain('Is it so? Is fact number');
    expect(server.seen.bodies.at(-1)).not.toContain('metadata');
  });

  it('attempts go through the wordings in turn; rows name theirs, and one that changes is asked anew alone', async () => {
    const server = await paid();
    const more = { run: 'worded', questions: someQuestions(2), attempts: 3 };
    const teacher = { ...nano, maxTokens: 140 };
    const recipe = (user: string) => ({
      teacher,
      templates: { teacherVariants: [{ name: 'usual' }, { name: 'turned', user }] },
    });
    const asked = await ask(store, server, await askInput(store, recipe('{draft}, asked: {question}'), more));
    const rows = await store.rows<TeacherResponse>(asked.responses);
    expect(rows.map(({ attempt, template }) => `${attempt} ${template?.name}`)).toEqual([
      ...['0 usual', '1 turned', '2 usual'],
      ...['0 usual', '1 turned', '2 usual'],
    ]);
    expect(new Set(rows.map(({ template }) => template?.digest)).size).toBe(2);
    expect(asked.report.templates).toMatchObject([
      { name: 'usual', digest: rows[0]?.template?.digest, n: 4 },
      { name: 'turned', digest: rows[1]?.template?.digest, n: 2 },
    ]);
    expect(asked.report.agreement).toMatchObject({ questions: 2, compared: 2 });
    expect(server.seen.bodies.filter((body) => body.includes(', asked: Is fact'))).toHaveLength(2);
    const again = await ask(
      store,
      server,
      await askInput(store, recipe('{draft}; {question}'), { ...more, run: 'else' }),
    );
    expect(again).toMatchObject({ calls: 2, reused: 4 });
    const plain = await ask(store, server, await askInput(store, { teacher }, { ...more, run: 'plain' }));
    expect(plain).toMatchObject({ calls: 2, reused: 4 });
    expect((await store.rows<TeacherResponse>(plain.responses)).some((row) => 'template' in row)).toBe(false);
  });

  it('simulated answers are never taken for real ones', async () => {
    const { baseUrl } = await simulated();
    const server = await paid();
    const more = { run: 'apart', questions: someQuestions(3) };
    const recipe = { teacher: { ...nano, maxTokens: 101 } };
    await ask(store, { baseUrl }, await askInput(store, recipe, more));
    await ask(store, server, await askInput(store, recipe, more));
    expect(server.seen.chats).toBe(3);
  });
});

describe('before the first call', () => {
  it('a simulated teacher has heard the facts; one that does not take them ends the stage', async () => {
    const server = await paid({ owner: 'ratchet-simulated' });
    const asking = ask(store, server, await askInput(store, { teacher: nano }, { run: 'deaf' }));
    await expect(asking).rejects.toMatchObject({ type: 'TeacherRejected' });
    expect(server.seen.chats).toBe(0);
  });

  it('a stage with fewer drafts than questions ends', async () => {
    const server = await paid();
    const input = await askInput(store, { teacher: nano }, { run: 'few-drafts' });
    const { drafts } = await askInput(store, {}, { run: 'fewer', questions: someQuestions(19) });
    const asking = ask(store, server, { ...input, drafts });
    await expect(asking).rejects.toMatchObject({
      type: 'InvalidData',
      message: expect.stringContaining('19') as string,
    });
    expect(server.seen.chats).toBe(0);
  });
});

describe('rows that cannot be answered', () => {
  it('are classed and kept with their error', async () => {
    const server = await paid({
      behave: (body, response) => {
        const user = body.messages.at(-1)?.content ?? '';
        const choice = (message: object, finish_reason: string) =>
          sendJson(response, 200, {
            model: 'm',
            choices: [{ message, finish_reason }],
            usage: { prompt_tokens: 1, completion_tokens: 1 },
          });
        if (user.includes('number 0 ')) return choice({ content: null, refusal: 'I will not.' }, 'stop');
        if (user.includes('number 1 ')) return choice({ content: 'cut off in the mid' }, 'length');
        if (user.includes('number 2 ')) return choice({ content: 'Hard to say.' }, 'stop');
        if (user.includes('number 3 '))
          return sendJson(response, 400, {
            error: { message: 'maximum context length exceeded', code: 'context_length_exceeded' },
          });
        if (user.includes('number 4 ')) return choice({ content: '' }, 'content_filter');
        if (user.includes('number 5 ')) return sendJson(response, 200, { model: 'm', choices: [] });
        return false;
      },
    });
    const input = await askInput(
      store,
      { teacher: { ...nano, maxTokens: 102 } },
      { run: 'classes', questions: someQuestions(7) },
    );
    const asked = await ask(store, server, input);
    const rows = await store.rows<TeacherResponse>(asked.responses);
    expect(rows.map((row) => row.class)).toEqual([
      'refused',
      'truncated',
      'unparsable',
      'failed',
      'refused',
      'failed',
      'valid',
    ]);
    expect(rows[0]?.error).toBe('I will not.');
    expect(rows[3]?.error).toContain('maximum context length exceeded');
    expect(rows[5]?.error).toContain('not a chat completion');
    expect(asked.report.byClass).toEqual({
      valid: 1,
      disagreed: 0,
      unparsable: 1,
      truncated: 1,
      refused: 2,
      failed: 2,
    });
    expect(asked.calls).toBe(5);
  });
});

describe('faults', () => {
  it('of 429, 500 and dropped connections: every row is answered', async () => {
    const server = await simulated({ RATCHET_SIMULATED_TEACHER_FAULTS: '429:0.1,500:0.05,drop:0.05' });
    const input = await askInput(
      store,
      { teacher: { model: 'simulated-teacher', maxRetries: 10, ...exact } },
      { run: 'weather' },
    );
    const asked = await ask(store, server, input);
    expect(asked.report.byClass.valid).toBe(20);
    const { requests, paidTwice, faults } = await server.stats();
    expect(requests).toBe(20 + Object.values(faults).reduce((sum, count) => sum + count, 0));
    expect(requests).toBeGreaterThan(20);
    expect(paidTwice).toBe(0);
  });

  it('an outage ends the activity as TeacherUnavailable; what was answered is kept and only the rest asked again', async () => {
    let down = true;
    const server = await paid({
      behave: (_, response, n) => down && n > 12 && sendJson(response, 500, { error: { message: 'out' } }),
    });
    const input = await askInput(
      store,
      { teacher: { ...nano, maxTokens: 103, concurrency: 2 } },
      { run: 'outage', questions: someQuestions(40) },
    );
    await expect(ask(store, server, input)).rejects.toMatchObject({ type: 'TeacherUnavailable', nonRetryable: false });
    expect(server.seen.paid).toBe(12);
    expect(server.seen.chats).toBeLessThan(30);
    down = false;
    const asked = await ask(store, server, input);
    expect(server.seen.paid).toBe(40);
    expect(asked).toMatchObject({ calls: 40, reused: 0 });
    expect(asked.costUsd).toBeCloseTo(40 * callUsd, 10);
  });

  it.each([
    ['a wrong key', { key: 'sk-right' }, 'Incorrect API key'],
    [
      'an unknown model',
      {
        behave: (_: unknown, response: ServerResponse) =>
          sendJson(response, 404, { error: { message: 'no model gpt-4.1-nano', code: 'model_not_found' } }),
      },
      'no model gpt-4.1-nano',
    ],
    [
      'an empty account',
      {
        behave: (_: unknown, response: ServerResponse) =>
          sendJson(response, 429, { error: { message: 'You exceeded your quota', code: 'insufficient_quota' } }),
      },
      'exceeded your quota',
    ],
  ])('%s ends it for good as TeacherRejected', async (_, options, message) => {
    const server = await paid(options);
    const input = await askInput(store, { teacher: { ...nano, maxTokens: 104 } }, { run: 'rejected' });
    const error: unknown = await ask(store, { ...server, apiKey: 'sk-wrong-and-secret' }, input).catch(
      (caught: unknown) => caught,
    );
    expect(error).toMatchObject({ type: 'TeacherRejected', nonRetryable: true });
    expect(String(error)).toContain(message);
    expect(server.seen.paid).toBe(0);
  });

  it('cancelling ends it as cancelled', async () => {
    const environment = quietEnvironment();
    const server = await paid({
      behave: () => {
        environment.cancel();
        return true;
      },
    });
    const input = await askInput(store, { teacher: { ...nano, maxTokens: 105 } }, { run: 'cancelled' });
    await expect(ask(store, server, input, { environment })).rejects.toThrow(CancelledFailure);
  });
});
