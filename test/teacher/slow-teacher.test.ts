import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Store } from '../../activities/store/store.ts';
import type { TeacherResponse } from '../../domain/records.ts';
import { startTestS3 } from '../setup/s3.ts';
import type { TestS3 } from '../setup/s3.ts';
import { sendJson } from './openai-server.ts';
import { ask, askInput, someQuestions } from './stage.ts';
import { nano, paid } from './teachers.ts';

let s3: TestS3;
let store: Store;
beforeAll(async () => {
  s3 = await startTestS3();
  store = s3.newStore();
});
afterAll(() => s3.stop());

const completion = {
  model: 'gpt-4.1-nano',
  choices: [{ index: 0, message: { role: 'assistant', content: 'the answer is: **YES**' }, finish_reason: 'stop' }],
  usage: { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 },
};

it('a teacher that answers a few a second, after one 429: every row comes', async () => {
  const answerMs = 500;
  const server = await paid({
    behave: (_, response, n) => {
      if (n === 3) {
        response.setHeader('retry-after', '1');
        return sendJson(response, 429, { error: { message: 'slow down' } });
      }
      void delay(answerMs).then(() => sendJson(response, 200, completion));
      return true;
    },
  });
  const teacher = { ...nano, concurrency: 4, maxRetries: 5 };
  const input = await askInput(store, { teacher }, { questions: someQuestions(20), run: 'slow' });
  const asked = await ask(store, { baseUrl: server.baseUrl, apiKey: 'k' }, input);
  const rows = await store.rows<TeacherResponse>(asked.responses);
  expect(rows.map(({ class: kind }) => kind)).not.toContain('failed');
  expect(rows).toHaveLength(20);
  expect(server.seen.chats).toBe(21);
});

it('a teacher that asks for a pause of a day: the stage ends at once, and says so', async () => {
  const server = await paid({
    behave: (_, response) => {
      response.setHeader('retry-after', '86400');
      return sendJson(response, 429, { error: { message: 'daily limit reached' } });
    },
  });
  const teacher = { ...nano, concurrency: 4, maxRetries: 5 };
  const input = await askInput(store, { teacher }, { questions: someQuestions(40), run: 'day' });
  await expect(ask(store, { baseUrl: server.baseUrl, apiKey: 'k' }, input)).rejects.toMatchObject({
    type: 'TeacherUnavailable',
  });
  expect(server.seen.chats).toBeLessThanOrEqual(8);
});
