import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Store } from '../../../activities/store/store.ts';
import { agreement, cohenKappa } from '../../../domain/calibration.ts';
import { flipRate, flipsOf, winRate } from '../../../domain/judging.ts';
import { startTestS3 } from '../../setup/s3.ts';
import type { TestS3 } from '../../setup/s3.ts';
import { comparedRows, judgeInput, judgePairs, stepsOf } from '../../teacher/judge-stage.ts';
import type { Asks } from '../../teacher/judge-stage.ts';
import { sendJson } from '../../teacher/openai-server.ts';
import { paid, simulated } from '../../teacher/teachers.ts';

let s3: TestS3;
let store: Store;
beforeAll(async () => {
  s3 = await startTestS3();
  store = s3.newStore();
});
afterAll(() => s3.stop());

/** Of every ten pairs `after` asks for more in five, for less in two, for as much in three. */
const tenths = ['win', 'win', 'win', 'win', 'win', 'loss', 'loss', 'tie', 'tie', 'tie'] as const;
const hiddenVerdict = (n: number) => tenths[n % 10] ?? 'tie';
const hidden = (count: number): Asks[] =>
  Array.from({ length: count }, (_, n) => {
    const [one, other] = stepsOf(n);
    const [less, more] = [`${one} And why?`, `${one} ${other}`];
    const verdict = hiddenVerdict(n);
    if (verdict === 'tie') return { before: less, after: `${other} And since when?` };
    return verdict === 'win' ? { before: less, after: more } : { before: more, after: less };
  });

/** Equally good; `after` is longer in four of five pairs, by 1 to 151 characters. */
const padded = (count: number): Asks[] =>
  Array.from({ length: count }, (_, n) => {
    const [one] = stepsOf(n);
    const long = `${one} So${'o'.repeat((n * 37) % 151)}?`;
    return n % 5 === 0 ? { before: long, after: one } : { before: one, after: long };
  });

/** Every test asks for other answers than the others, since what is stored is shared by all runs. */
let maxTokens = 400;

const run = async (name: string, judge: Record<string, unknown>, pairs: readonly Asks[]) => {
  const server = await simulated();
  const input = await judgeInput(store, { maxTokens: (maxTokens += 1), ...judge }, pairs, { run: name });
  const judged = await judgePairs(store, server, input);
  return { judged, server, rows: await comparedRows(store, judged) };
};

describe('an unbiased judge', () => {
  it.each([true, false])(
    'recovers the hidden quality of every pair, in JSON and in words: %s',
    async (structuredOutput) => {
      const judge = { structuredOutput, calibrationItems: 40 };
      const { judged, server, rows } = await run(`unbiased-${String(structuredOutput)}`, judge, hidden(60));
      expect(rows.map(({ verdict }) => verdict)).toEqual(hidden(60).map((_, n) => hiddenVerdict(n)));
      const { compared, calibration, judge: by } = judged.summary;
      expect(compared).toMatchObject({
        items: 60,
        wins: 30,
        losses: 12,
        ties: 18,
        unjudged: 0,
        twice: 60,
        problems: {},
      });
      expect(flipsOf(compared)).toBe(0);
      expect(calibration && { ...agreement(calibration, 0.95), kappa: cohenKappa(calibration) }).toMatchObject({
        ...{ n: 40, right: 40, kappa: 1 },
      });
      expect(by).toMatchObject({ name: 'simulated-judge', temperature: 0, bothOrders: true, structuredOutput });
      expect(by.promptDigest).toMatch(/^[0-9a-f]{64}$/);
      expect(rows[0]?.judgements.map(({ reason }) => reason)).toEqual([
        'The first asks for 1 of the 2 steps, the second for 2.',
        'The first asks for 2 of the 2 steps, the second for 1.',
      ]);
      expect(judged).toMatchObject({ calls: 200, reused: 0, costUsd: 0 });
      expect(await server.stats()).toMatchObject({ answered: 200, paidTwice: 0 });
    },
  );
});

describe('a judge that errs', () => {
  it('by place is exposed by the flip rate, and what flips is a tie', async () => {
    const { judged, rows } = await run('position', { simulated: { positionBias: 0.6 } }, hidden(100));
    const { compared } = judged.summary;
    const rate = flipRate(compared, 0.95);
    expect(rate.low).toBeGreaterThan(0.3);
    expect(compared.flips.first).toBe(flipsOf(compared));
    expect(rows.filter(({ flipped }) => flipped !== null).every(({ verdict }) => verdict === 'tie')).toBe(true);
    // In one order alone it would have looked sure of itself; steady verdicts are right.
    expect(
      rows
        .filter(({ flipped }) => flipped === null)
        .every(({ id, verdict }) => verdict === hiddenVerdict(Number(id.slice(1)))),
    ).toBe(true);
  });

  it('by length is exposed by the length-controlled rate', async () => {
    const { judged } = await run('length', { simulated: { lengthBias: 1 } }, padded(100));
    const { compared, lengthControl } = judged.summary;
    expect(flipsOf(compared)).toBe(0);
    expect(winRate(compared, 0.95)).toMatchObject({ estimate: 0.8 });
    expect(winRate(compared, 0.95).low).toBeGreaterThan(0.7);
    const { estimate = 0, low, high } = lengthControl?.controlled ?? {};
    expect(low).toBeLessThan(0.5);
    expect(high).toBeGreaterThan(0.5);
    expect(Math.abs(estimate - 0.5)).toBeLessThan(0.15);
    // Without the bias the same pairs tie.
    const fair = await run('length-fair', {}, padded(100));
    expect(fair.judged.summary.lengthControl).toMatchObject({ n: 100, plain: 0.5 });
  });

  it('is found out by the calibration', async () => {
    const judge = { calibrationItems: 60, simulated: { errorRate: 0.4 } };
    const { judged } = await run('errors', judge, hidden(60));
    const { calibration } = judged.summary;
    const found = calibration && agreement(calibration, 0.95);
    // Both orders right: 0.6² and a little; one wrong is a tie, which is no agreement.
    expect(found?.low).toBeLessThan(0.36);
    expect(found?.high).toBeGreaterThan(0.36);
    expect(calibration && cohenKappa(calibration)).toBeLessThan(0.6);
  });
});

describe('what has no verdict', () => {
  it('is counted by kind and kept with what came, never dropped', async () => {
    const server = await paid({ models: ['gpt-4.1-mini'] });
    const judge = { model: 'gpt-4.1-mini', calibrationItems: 4 };
    const judged = await judgePairs(store, server, await judgeInput(store, judge, hidden(20), { run: 'unreadable' }));
    expect(judged.summary.compared).toMatchObject({ items: 20, unjudged: 20, twice: 0, problems: { unreadable: 40 } });
    expect(judged.summary.calibration).toMatchObject({ unjudged: 4 });
    expect(judged.summary.lengthControl).toBeNull();
    const [row] = await comparedRows(store, judged);
    expect(row?.judgements[0]).toMatchObject({ said: null, problem: 'unreadable' });
    expect(row?.judgements[0]?.error).toContain('the answer is: **YES**');
    expect(judged).toMatchObject({ calls: 48 });
    expect(judged.costUsd).toBeCloseTo((48 * (100 * 0.4 + 50 * 1.6)) / 1e6, 10);
  });

  it('refusals, cut answers and requests that fail are told apart', async () => {
    const server = await simulated({ RATCHET_SIMULATED_TEACHER_FAULTS: 'refusal:0.2,truncation:0.2' });
    const judged = await judgePairs(
      store,
      server,
      await judgeInput(store, { maxTokens: 390 }, hidden(60), { run: 'faults' }),
    );
    const { compared } = judged.summary;
    expect(compared.problems.refusal).toBeGreaterThan(5);
    expect(compared.problems.length).toBeGreaterThan(5);
    expect(compared.wins + compared.losses + compared.ties + compared.unjudged).toBe(60);
    const rejecting = await paid({
      models: ['gpt-4.1-mini'],
      behave: ({ messages }, response) =>
        /place [36] /.test(messages.at(-1)?.content ?? '') && sendJson(response, 400, { error: { message: 'no' } }),
    });
    const input = await judgeInput(store, { model: 'gpt-4.1-mini', maxTokens: 392 }, hidden(10), { run: 'rejecting' });
    const failed = await judgePairs(store, rejecting, input);
    expect(failed).toMatchObject({ calls: 16 });
    expect(failed.summary.compared.problems).toEqual({ unreadable: 16, 'bad-request': 4 });
  });
});

it('asks nobody where the verdict is exact, and one order where one is asked for', async () => {
  const pairs: Asks[] = [
    { before: 'Why?', after: ' why? ' },
    { before: null, after: 'Why?' },
    { before: 'Why?', after: null },
    { before: null, after: '' },
    ...hidden(30).slice(4),
  ];
  const { judged, rows, server } = await run('exact', { bothOrders: false }, pairs);
  expect(rows.slice(0, 4).map(({ verdict, by }) => `${by} ${String(verdict)}`)).toEqual([
    'exact tie',
    'exact win',
    'exact loss',
    'exact tie',
  ]);
  expect(judged.summary.compared).toMatchObject({ exact: 4, twice: 0 });
  expect(await server.stats()).toMatchObject({ answered: 26 });
  // Neither side is always first.
  const firsts = rows.slice(4).filter(({ judgements }) => judgements[0]?.afterFirst === true).length;
  expect(firsts).toBeGreaterThan(3);
  expect(firsts).toBeLessThan(23);
});

describe('money', () => {
  it('killed half-way, its successor asks only for what is missing', async () => {
    const server = await simulated({ RATCHET_SIMULATED_TEACHER_LATENCY_MS: '20' });
    const concurrency = 8;
    const input = await judgeInput(store, { concurrency, maxTokens: 391 }, hidden(100), { run: 'judge-killed' });
    const script = resolve(import.meta.dirname, '../../teacher/ask-in-process.ts');
    const { surroundings } = s3;
    const job = JSON.stringify({ surroundings, cacheDir: store.cacheDir, baseUrl: server.baseUrl, input });
    const child = spawn(process.execPath, [script], { env: { ...process.env, ASK_JOB: job }, stdio: 'ignore' });
    const ended = once(child, 'exit');
    await expect.poll(async () => (await server.stats()).answered, { interval: 5 }).toBeGreaterThan(60);
    child.kill('SIGKILL');
    expect((await ended)[1]).toBe('SIGKILL');
    expect((await server.stats()).answered).toBeLessThan(200);
    const judged = await judgePairs(store, server, input);
    expect(judged.summary.compared).toMatchObject({ wins: 50, losses: 20, ties: 30 });
    const { answered, paidTwice } = await server.stats();
    expect(paidTwice).toBeLessThanOrEqual(concurrency);
    expect(answered).toBe(200 + paidTwice);
    // Asked a third time nothing is paid; another prompt is another question.
    expect(await judgePairs(store, server, input)).toEqual(judged);
    expect((await server.stats()).answered).toBe(answered);
    const reworded = await judgeInput(store, { maxTokens: 391, templates: { system: 'Compare.' } }, hidden(10), {
      run: 'judge-killed',
    });
    const again = await judgePairs(store, server, reworded);
    expect(again.summary.judge.promptDigest).not.toBe(judged.summary.judge.promptDigest);
    expect((await server.stats()).answered).toBe(answered + 20);
  });

  it('what the run has spent counts against the cap', async () => {
    const server = await paid({ models: ['gpt-4.1-mini'] });
    const input = await judgeInput(store, { model: 'gpt-4.1-mini', maxTokens: 393 }, hidden(40), {
      run: 'capped',
      budget: { capUsd: 1, spentUsd: 0.999 },
    });
    await expect(judgePairs(store, server, input)).rejects.toMatchObject({ type: 'BudgetExceeded' });
    expect(server.seen.paid).toBeLessThan(10);
  });

  it('a judge whose account runs empty says what it was paid until then', async () => {
    const server = await paid({
      models: ['gpt-4.1-mini'],
      behave: (_, response, n) =>
        n > 20 && sendJson(response, 402, { error: { message: 'Insufficient Balance', code: 'x' } }),
    });
    const input = await judgeInput(store, { model: 'gpt-4.1-mini', concurrency: 1 }, hidden(40), {
      run: 'empty-account',
    });
    const ended: unknown = await judgePairs(store, server, input).catch((error: unknown) => error);
    expect(ended).toMatchObject({ type: 'TeacherRejected', details: [{ reason: 'no-quota', cost: {} }] });
    const [{ cost }] = (ended as { details: [{ cost: { judgeUsd: number } }] }).details;
    expect(server.seen.paid).toBe(20);
    expect(cost.judgeUsd).toBeCloseTo((20 * (100 * 0.4 + 50 * 1.6)) / 1e6, 9);
  });

  it('a judge at another server gets the key of its own, or none: never the teacher’s', async () => {
    const judgeServer = await paid({ models: ['m'], key: 'sk-judge-0123456789' });
    const judge = { model: 'm', price: 'free', baseUrl: judgeServer.baseUrl };
    const teacher = { baseUrl: 'http://127.0.0.1:9/v1', apiKey: 'sk-teacher-0123456789' };
    const keyless = judgePairs(store, teacher, await judgeInput(store, judge, hidden(10), { run: 'keys' }));
    const refused = (await keyless.catch((error: unknown) => error)) as Error;
    expect(refused).toMatchObject({ type: 'TeacherRejected' });
    const { origin } = new URL(judgeServer.baseUrl);
    expect(refused.message).toContain(`Fix: check that a key is bound to it: RATCHET_KEY_NAME="${origin} KEY"`);
    expect(refused.message).not.toContain(teacher.apiKey);
    const bound = { variable: 'RATCHET_KEY_JUDGE', origin, key: 'sk-judge-0123456789' };
    const again = await judgeInput(store, judge, hidden(10), { run: 'keys' });
    const judged = await judgePairs(store, { ...teacher, keys: [bound] }, again);
    expect(judged.summary.compared.items).toBe(10);
  });
});
