import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Store } from '../../../activities/store/store.ts';
import { startTestS3 } from '../../setup/s3.ts';
import type { TestS3 } from '../../setup/s3.ts';
import { ask, askInput, draftFor, someQuestions } from '../../teacher/stage.ts';
import { simulated } from '../../teacher/teachers.ts';

let s3: TestS3;
let store: Store;
beforeAll(async () => {
  s3 = await startTestS3();
  store = s3.newStore();
});
afterAll(() => s3.stop());

it('more requests than are held at once give the rows that all at once gave, byte for byte', async () => {
  const { baseUrl } = await simulated({
    RATCHET_SIMULATED_TEACHER_LATENCY_MS: '0',
    RATCHET_SIMULATED_TEACHER_FAULTS: 'refusal:0.05,truncation:0.05,500:0.02',
  });
  const teacher = { model: 'simulated-teacher', maxTokens: 120, concurrency: 64 };
  const questions = someQuestions(800);
  const input = await askInput(store, { teacher }, { run: 'large', questions, attempts: 2 });
  const drafts = await store.putRows('runs/large/drafts-1/backwards.jsonl', questions.map(draftFor).reverse());
  const asked = await ask(store, { baseUrl }, { ...input, drafts });
  expect(asked).toEqual({
    responses: {
      uri: 's3://ratchet/runs/large/teacher-1/responses.jsonl',
      sha256: '2b0e59b823c741b7882b3ca796d20ced3744ce4eaee2a36ba3b5ab645b7dcbde',
      bytes: 708_306,
      rows: 1600,
    },
    report: {
      n: 1600,
      byClass: { valid: 963, disagreed: 490, unparsable: 0, truncated: 74, refused: 73, failed: 0 },
      lenient: 0,
      problems: { refusal: 73, length: 74 },
    },
    ...{ costUsd: 0, calls: 1600, reused: 0, teacher: 'simulated-teacher' },
  });
}, 60_000);
