import { spawn } from 'node:child_process';
import { resolve } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { sha256 } from '../../../activities/store/files.ts';
import type { Store } from '../../../activities/store/store.ts';
import { canonicalJson } from '../../../domain/canonical.ts';
import type { TeacherResponse } from '../../../domain/records.ts';
import { startTestS3 } from '../../setup/s3.ts';
import type { TestS3 } from '../../setup/s3.ts';
import { ask, askInput, draftFor, someQuestions } from '../../teacher/stage.ts';
import { callUsd, nano, paid, simulated } from '../../teacher/teachers.ts';

/** Stages of more requests than a worker holds at once (1,024). */

let s3: TestS3;
let store: Store;
beforeAll(async () => {
  s3 = await startTestS3();
  store = s3.newStore();
});
afterAll(() => s3.stop());

it('killed in the middle, a large stage gives the very rows that one gave in memory, and pays once', async () => {
  const concurrency = 64;
  const server = await simulated({
    RATCHET_SIMULATED_TEACHER_LATENCY_MS: '0',
    RATCHET_SIMULATED_TEACHER_FAULTS: 'refusal:0.05,truncation:0.05,500:0.02',
  });
  const teacher = { model: 'simulated-teacher', maxTokens: 120, concurrency };
  const questions = someQuestions(800);
  const asked = await askInput(store, { teacher }, { run: 'large', questions, attempts: 2 });
  const input = {
    ...asked,
    drafts: await store.putRows('runs/large/drafts-1/b.jsonl', questions.map(draftFor).reverse()),
  };
  const script = resolve(import.meta.dirname, '../../teacher/ask-in-process.ts');
  const { baseUrl } = server;
  const job = JSON.stringify({ surroundings: s3.surroundings, cacheDir: store.cacheDir, baseUrl, input });
  const child = spawn(process.execPath, [script], { env: { ...process.env, ASK_JOB: job }, stdio: 'ignore' });
  const ended = new Promise((done) => child.once('exit', done));
  await expect
    .poll(async () => (await server.stats()).answered, { interval: 5, timeout: 30_000 })
    .toBeGreaterThan(1050);
  child.kill('SIGKILL');
  await ended;
  expect((await server.stats()).answered).toBeLessThan(1600);

  const heartbeats: unknown[] = [];
  // Figures are those of the version that held all requests and rows in memory.
  const result = await ask(store, server, input, { heartbeats });
  expect(result).toEqual({
    responses: {
      uri: 's3://ratchet/runs/large/teacher-1/responses.jsonl',
      sha256: expect.any(String) as string,
      bytes: 708_306,
      rows: 1600,
    },
    report: {
      n: 1600,
      byClass: { valid: 963, disagreed: 490, unparsable: 0, truncated: 74, refused: 73, failed: 0 },
      lenient: 0,
      problems: { refusal: 73, length: 74 },
      agreement: {
        ...{ questions: 800, compared: 660, unanimous: 436 },
        majorityShare: expect.closeTo(0.8303, 4) as number,
        kappa: expect.closeTo(0.1503, 4) as number,
      },
    },
    ...{ costUsd: 0, calls: 1600, reused: 0, teacher: 'simulated-teacher', server: server.baseUrl },
  });
  // The digest of a request names its server, whose port is another each time.
  const rows = await store.rows<TeacherResponse>(result.responses);
  expect(sha256(canonicalJson(rows.map((row) => ({ ...row, requestDigest: undefined }))))).toBe(
    '3ad6200934a360ee08e98cd88a2eee43fb9d1d3aa0e1aa73e2ec2982ae7bc991',
  );
  expect(new Set(rows.map(({ requestDigest }) => requestDigest)).size).toBe(1600);
  expect(heartbeats[0]).toMatchObject({ done: 0, total: 1600 });
  expect(heartbeats.at(-1)).toMatchObject({ done: 1600, total: 1600 });
  const { answered, paidTwice } = await server.stats();
  expect(paidTwice).toBeLessThanOrEqual(concurrency);
  expect(answered).toBe(1600 + paidTwice);
});

it('what a stage has paid for its last rows counts against the cap from the first call on', async () => {
  const server = await paid();
  const questions = someQuestions(1200);
  const stage = (some: typeof questions, capUsd: number) => {
    const recipe = { teacher: { ...nano, maxTokens: 121, concurrency: 16 }, budget: { capUsd } };
    return askInput(store, recipe, { run: 'late-rows', questions: some });
  };
  await ask(store, server, await stage(questions.slice(-100), 1));
  const capUsd = 150.5 * callUsd;
  await expect(ask(store, server, await stage(questions, capUsd))).rejects.toMatchObject({ type: 'BudgetExceeded' });
  expect(server.seen.paid).toBeGreaterThan(100);
  expect(server.seen.paid).toBeLessThanOrEqual(150);
});
