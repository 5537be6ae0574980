import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Asked } from '../../activities/contract.ts';
import type { Store } from '../../activities/store/store.ts';
import { responseFolder } from '../../activities/teacher/response-store.ts';
import { filterResponses } from '../../domain/filtering.ts';
import type { TeacherResponse } from '../../domain/records.ts';
import { startTestS3 } from '../setup/s3.ts';
import type { TestS3 } from '../setup/s3.ts';
import { ends, limits, passing, refusals, shapes, waste } from './odd-answers.ts';
import { byQuestion, error, goodText, parts, saying, send } from './odd-servers.ts';
import { ask, askInput, someQuestions } from './stage.ts';
import { comparedRows, judgeInput, judgePairs, stepsOf } from './judge-stage.ts';
import { callUsd, nano, paid } from './teachers.ts';

/** Teachers and judges that answer otherwise than they should: tables of odd-answers.ts against the whole activity. */

let s3: TestS3;
let store: Store;
beforeAll(async () => {
  s3 = await startTestS3();
  store = s3.newStore();
});
afterAll(() => s3.stop());

/** Each case asks for other answers than the others, since what is stored is shared by all. */
let maxTokens = 500;
const maxRetries = 1;

async function stage(questions: number, more: Record<string, unknown> = {}) {
  const teacher = { ...nano, maxRetries, maxTokens: (maxTokens += 1), ...more };
  const recipe = { teacher, budget: { capUsd: 100 } };
  return askInput(store, recipe, { run: `odd-${maxTokens}`, questions: someQuestions(questions) });
}
type Input = Awaited<ReturnType<typeof stage>>;
const inRun = (input: Input, run: string): Input => ({ ...input, scope: { ...input.scope, run } });
const rowsOf = (asked: Asked) => store.rows<TeacherResponse>(asked.responses);
const storedNow = async () => new Set(await store.objects.list(responseFolder));
const endOf = (server: { baseUrl: string }, input: Input): Promise<unknown> =>
  ask(store, server, input).catch((caught: unknown) => caught);

describe('an answer in an odd shape is read', () => {
  it.each(shapes)('%s', async (_, body, text, reasoning, row) => {
    const server = await paid({ behave: (_asked, response) => send(response, { body }) });
    const input = await stage(1);
    const [read] = await rowsOf(await ask(store, server, input));
    expect(read).toMatchObject({ text, class: row });
    expect(read?.reasoning).toBe(reasoning);
    // Asked again it is the same, and paid once.
    expect(await rowsOf(await ask(store, server, input))).toEqual([read]);
    expect(server.seen.chats).toBe(1);
  });

  it('JSON under another name is JSON', async () => {
    const text = JSON.stringify(saying({ content: goodText }));
    const headers = { 'content-type': 'text/plain' };
    const server = await paid({ behave: (_, response) => send(response, { text, headers }) });
    const asked = await ask(store, server, await stage(1));
    expect(asked).toMatchObject({ calls: 1, report: { byClass: { valid: 1 } } });
    expect(asked.costUsd).toBeCloseTo(callUsd, 12);
  });
});

describe('an answer that is none', () => {
  it.each(waste)('%s: asked again, and never stored', async (_, odd, _problem, _words, charged) => {
    const server = await paid({ behave: byQuestion((time) => (time === 1 ? odd : null)) });
    const input = await stage(2);
    const before = await storedNow();
    const asked = await ask(store, server, input);
    expect(asked.report.byClass.valid + asked.report.byClass.disagreed).toBe(2);
    expect(server.seen.chats).toBe(4);
    expect((await storedNow()).size).toBe(before.size + 2);
    const perAnswerUsd = (asked.costUsd - 2 * callUsd) / 2;
    if (charged === 'most') expect(perAnswerUsd).toBeGreaterThan(maxTokens * 0.4e-6);
    else expect(perAnswerUsd).toBeCloseTo(charged === 'usage' ? callUsd : 0, 12);
  });

  it.each(waste)('%s, always: paid for as often as may be, then its row is named', async (_, odd, problem, words) => {
    const server = await paid({ behave: (_asked, response) => send(response, odd) });
    const before = await storedNow();
    const asked = await ask(store, server, await stage(2));
    expect(server.seen.chats).toBe(2 * (1 + maxRetries));
    const rows = await rowsOf(asked);
    expect(rows.map((row) => row.problem)).toEqual([problem, problem]);
    expect(rows[0]?.error).toContain(words);
    expect(asked.report).toMatchObject({ byClass: { failed: 2 }, problems: { [problem]: 2 } });
    expect(await storedNow()).toEqual(before);
  });

  it('between outages it is paid for no more often over all tries of the stage', async () => {
    const wastedOf = new Map<string, number>();
    const server = await paid({
      behave: byQuestion((_, question, n) => {
        if (n % 12 >= 4) return { status: 500, body: error('out') };
        wastedOf.set(question, (wastedOf.get(question) ?? 0) + 1);
        return { body: saying({ content: '' }) };
      }),
    });
    const input = await stage(12, { concurrency: 4 });
    let [asked, tries] = [null as Asked | null, 0];
    for (; asked === null && tries < 40; tries += 1) asked = await ask(store, server, input).catch(() => null);
    expect(tries).toBeGreaterThan(1);
    expect(Math.max(...wastedOf.values())).toBeLessThanOrEqual(1 + maxRetries);
    expect(asked?.report.problems).toEqual({ empty: 12 });
    const times = [...wastedOf.values()].reduce((sum, one) => sum + one, 0);
    expect(asked?.costUsd).toBeCloseTo(times * callUsd, 10);
  });

  it('one that lies in the store from before is asked for again, and what comes takes its place', async () => {
    const server = await paid();
    const input = await stage(2);
    const [row] = await rowsOf(await ask(store, server, input));
    const key = `${responseFolder}${row?.requestDigest ?? ''}.json`;
    const stored = JSON.parse((await store.objects.read(key))?.body ?? '') as Record<string, unknown>;
    await store.putJson(key, { ...stored, text: '<think>So it is.</think> ' });
    const later = await ask(store, server, inRun(input, 'odd-later'));
    expect(later).toMatchObject({ calls: 1, reused: 1, report: { byClass: { failed: 0, unparsable: 0 } } });
    expect(await ask(store, server, inRun(input, 'odd-last'))).toMatchObject({ calls: 0, reused: 2 });
    expect(server.seen.chats).toBe(3);
  });
});

describe('an error in a body passes as its code says, and costs nothing', () => {
  it.each(passing)('%s', async (_, odd, problem) => {
    const server = await paid({ behave: byQuestion((time) => (time === 1 ? odd : null)) });
    const asked = await ask(store, server, await stage(2, { maxRetries: 3 }));
    expect(asked.report.byClass.valid + asked.report.byClass.disagreed).toBe(2);
    expect(asked.costUsd).toBeCloseTo(2 * callUsd, 12);
    const away = await paid({ behave: (_asked, response) => send(response, odd) });
    const end = await endOf(away, await stage(1, { maxRetries: 0 }));
    expect(end).toMatchObject({ type: 'TeacherUnavailable', message: expect.stringContaining(problem) as string });
  });

  it.each(limits)('%s is waited for', async (_, odd) => {
    const server = await paid({ behave: byQuestion((time) => (time === 1 ? odd : null)) });
    expect(await ask(store, server, await stage(2, { maxRetries: 3 }))).toMatchObject({ calls: 2 });
  });
});

describe('what no request can get past stops the stage; what was answered is kept, and it goes on later', () => {
  it.each(ends)('%s', async (_, odd, reason, words) => {
    let refusing = true;
    const server = await paid({ behave: (_asked, response, n) => refusing && n > 3 && send(response, odd) });
    const input = await stage(12, { concurrency: 2, maxRetries: 3 });
    const end = await endOf(server, input);
    expect(end).toMatchObject({ type: 'TeacherRejected', nonRetryable: true, details: [{ reason }] });
    expect(String(end)).toContain(words);
    if (reason === 'no-quota') expect(String(end)).toContain('Fix: check the quota and billing');
    expect(server.seen.chats).toBeLessThan(8);
    refusing = false;
    expect(await ask(store, server, input)).toMatchObject({ calls: 12, reused: 0 });
    expect(server.seen.paid).toBe(12);
  });
});

/** Servers number and date what they say. */
let said = 0;
const numbered = (words: string): string =>
  `${words} (request id: req_${(said += 1)}f0c, at ${new Date(said).toISOString()})`;

describe('the same refusal of every request', () => {
  it.each(refusals)('%s: stops after a few, with the words and the setting', async (_, status, words, fix) => {
    const server = await paid({
      behave: (_asked, response) => send(response, { status, body: error(numbered(words), 400) }),
    });
    const end = await endOf(server, await stage(60, { concurrency: 4 }));
    expect(end).toMatchObject({ type: 'TeacherRejected', nonRetryable: true, details: [{ reason: 'bad-setting' }] });
    expect(String(end)).toContain(words);
    expect(String(end)).toContain(fix);
    // Eight, and those that were on their way.
    expect(server.seen.chats).toBeLessThanOrEqual(8 + 5);
  });

  it('says so of a stage of three as well', async () => {
    const server = await paid({
      behave: (_, response) => send(response, { status: 400, body: error(numbered('no')) }),
    });
    expect(await endOf(server, await stage(3))).toMatchObject({ type: 'TeacherRejected' });
  });

  it('is noticed half-way, and where it quotes what was sent', async () => {
    const server = await paid({
      behave: ({ messages }, response, n) =>
        n > 20 && send(response, { status: 400, body: error(`"${messages.at(-1)?.content ?? ''}" is not taken`) }),
    });
    expect(await endOf(server, await stage(200, { concurrency: 4 }))).toMatchObject({ type: 'TeacherRejected' });
    expect(server.seen.chats).toBeLessThan(80);
    expect(server.seen.paid).toBe(20);
  });

  it('is another thing than single bad rows among good ones, which fail alone', async () => {
    const isBad = (question: string, n: number): boolean => /[05] true/.test(question) || (n > 10 && n <= 20);
    const server = await paid({
      behave: byQuestion((_, question, n) => (isBad(question, n) ? { status: 400, body: error('no') } : null)),
    });
    const { report } = await ask(store, server, await stage(40, { concurrency: 1 }));
    expect(report.byClass.failed).toBeGreaterThan(12);
    expect(report.problems).toEqual({ 'bad-request': report.byClass.failed });
  });
});

/** How a stage ends that has no answer, and what it may have cost. */
async function unansweredBy(baseUrl: string): Promise<{ end: unknown; usd: number | undefined }> {
  const heartbeats: unknown[] = [];
  const end: unknown = await ask(store, { baseUrl }, await stage(3), { heartbeats }).catch((error: unknown) => error);
  return { end, usd: (heartbeats.at(-1) as { unansweredUsd?: number }).unansweredUsd };
}

describe('what never reached a server costs nothing', () => {
  it.each([
    ['nobody listens', 'ECONNREFUSED', (url: string) => url],
    ['no such name', 'nobody.invalid', () => 'http://nobody.invalid/v1'],
    ['a port that nobody may ask', 'bad port', () => 'http://127.0.0.1:1/v1'],
  ])('%s', async (_, words, urlOf) => {
    const server = await paid();
    await server.stop();
    const { end, usd } = await unansweredBy(urlOf(server.baseUrl));
    expect(end).toMatchObject({ type: 'TeacherUnavailable' });
    expect(String(end)).toContain(words);
    expect(usd ?? 0).toBe(0);
  });

  it('what a server took and did not answer may have cost something', async () => {
    const server = await paid({ behave: (_, response) => send(response, { drop: true }) });
    const { end, usd } = await unansweredBy(server.baseUrl);
    expect(end).toMatchObject({ type: 'TeacherUnavailable' });
    expect(usd).toBeGreaterThan(maxTokens * 0.4e-6);
  });
});

describe('a judge', () => {
  const pair = { before: stepsOf(0)[0], after: stepsOf(0).join(' ') };
  const verdict = JSON.stringify({ reason: 'It asks {more}.', better: 'first' });
  const other = '{"better": "second"}';
  it.each<[what: string, body: unknown, said: string | null, problem?: string]>([
    ['a think block before', saying({ content: `<think>${other}, or</think>\n${verdict}` }), 'first'],
    ['a think block and a fence', saying({ content: `<think>Hm.</think>\n\`\`\`json\n${verdict}\n\`\`\`` }), 'first'],
    ['braces before and after', saying({ content: `The set {a} is meant: ${verdict} (see {b})` }), 'first'],
    ['parts', parts({ type: 'thinking', thinking: other }, { type: 'text', text: verdict }), 'first'],
    ['reasoning beside', saying({ content: verdict, reasoning_content: other }), 'first'],
    ['reasoning alone', saying({ content: null, reasoning_content: verdict }), null, 'reasoning-only'],
    ['reasoning that is cut off', saying({ content: `<think>${verdict}` }, 'length'), null, 'length'],
    ['an empty text', saying({ content: '' }), null, 'empty'],
    ['an error', error('Went wrong'), null, 'malformed'],
  ])('%s', async (_, body, said, problem) => {
    const server = await paid({ models: ['gpt-4.1-mini'], behave: (_asked, response) => send(response, { body }) });
    const judge = { model: 'gpt-4.1-mini', maxRetries: 0, bothOrders: false, maxTokens: (maxTokens += 1) };
    const input = await judgeInput(store, judge, [pair], { run: `judged-${maxTokens}` });
    const [row] = await comparedRows(store, await judgePairs(store, server, input));
    expect(row?.judgements[0]?.said).toBe(said);
    expect(row?.judgements[0]?.problem).toBe(problem);
  });
});

describe('a proxy that gives one answer to all', () => {
  const copy = { behave: byQuestion(() => ({ body: saying({ content: goodText }, 'stop', { id: 'chatcmpl-one' }) })) };

  it('is noticed: copies are counted, agree with nobody, and are not trained on', async () => {
    const server = await paid(copy);
    const input = { ...(await stage(2)), attempts: 3 };
    const asked = await ask(store, server, input);
    expect(asked.report.problems).toEqual({ copied: 5 });
    expect(asked.report.agreement).toMatchObject({ questions: 2, compared: 0 });
    const rows = await rowsOf(asked);
    expect(rows.map((row) => row.problem)).toEqual([undefined, ...Array.from({ length: 5 }, () => 'copied')]);
    const { kept } = filterResponses(someQuestions(2), rows, 'consensus', 3);
    expect(kept.map(({ question }) => question.id)).toEqual(['q0000']);
    expect(filterResponses(someQuestions(2), rows, 'keep-all', 1).kept).toHaveLength(1);
    // So it is in every later run, which finds the same in the store.
    expect((await ask(store, server, inRun(input, 'odd-copies'))).report.problems).toEqual({ copied: 5 });
  });

  it('is not what a server does that has one id, or none, for all of its own answers', async () => {
    const ids = ['chatcmpl-0', '', undefined];
    for (const id of ids) {
      let n = 0;
      const behave = byQuestion(() => ({ body: saying({ content: `${(n += 1)}. ${goodText}` }, 'stop', { id }) }));
      const asked = await ask(store, await paid({ behave }), { ...(await stage(2)), attempts: 3 });
      expect(asked.report.problems).toBeUndefined();
    }
  });

  it('gives a judge no verdict', async () => {
    const body = saying({ content: '{"reason": "So.", "better": "tie"}' }, 'stop', { id: 'chatcmpl-one' });
    const server = await paid({ models: ['gpt-4.1-mini'], behave: (_, response) => send(response, { body }) });
    const pairs = [0, 1].map((n) => ({ before: stepsOf(n)[0], after: stepsOf(n).join(' ') }));
    const judge = { model: 'gpt-4.1-mini', maxTokens: (maxTokens += 1) };
    const { summary } = await judgePairs(store, server, await judgeInput(store, judge, pairs, { run: 'odd-judged' }));
    expect(summary.compared).toMatchObject({ items: 2, unjudged: 2, problems: { copied: 3 } });
  });
});
