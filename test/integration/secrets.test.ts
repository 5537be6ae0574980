import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTeacherStack } from '../setup/teacher-stack.ts';
import type { TeacherStack } from '../setup/teacher-stack.ts';
import { sendJson, startOpenAiServer } from '../teacher/openai-server.ts';
import { someQuestions } from '../teacher/stage.ts';

const apiKey = 'sk-test-0123456789abcdefghij';
const judgeKey = 'sk-judge-9876543210zyxwvutsr';
let careless: Awaited<ReturnType<typeof startOpenAiServer>>;
let judge: Awaited<ReturnType<typeof startOpenAiServer>>;
let stack: TeacherStack;
beforeAll(async () => {
  careless = await startOpenAiServer({
    // Every kind of fault, each with the key in it.
    behave: (body, response, n) => {
      const error = { error: { message: `no luck with ${apiKey}` } };
      if (body.messages.at(-1)?.content.includes('number 0 ') === true) return sendJson(response, 400, error);
      if (body.messages[0]?.content === 'reject') {
        return sendJson(response, 401, { error: { ...error.error, code: 'invalid_api_key' } });
      }
      if (n > 12) return false;
      if (n % 5 === 1) return sendJson(response, 500, error);
      if (n % 5 === 2) return sendJson(response, 429, error);
      if (n % 5 === 3) {
        response.socket?.destroy();
        return true;
      }
      return false;
    },
  });
  judge = await startOpenAiServer({
    ...{ key: judgeKey, models: ['m'] },
    behave: ({ messages }, response) => {
      const [error, reject] = [{ message: `no luck with ${judgeKey}` }, messages[0]?.content === 'reject'];
      return sendJson(response, reject ? 401 : 400, { error: reject ? { ...error, code: 'invalid_api_key' } : error });
    },
  });
  const bound = `${new URL(judge.baseUrl).origin} ${judgeKey}`;
  stack = await startTeacherStack({ baseUrl: careless.baseUrl, apiKey }, { RATCHET_KEY_JUDGE: bound });
});
afterAll(async () => {
  await stack.stop();
  await careless.stop();
  await judge.stop();
});

/** Every file below a folder, as one text: histories, objects, logs, records. */
const everythingBelow = (folder: string): string =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'latin1'))
    .join('\n');

test('the key appears in no history, log, artefact or error', async () => {
  const teacher = { model: 'gpt-4.1-nano', maxRetries: 12 };
  const { asked } = await stack.run(await stack.prepare('faults', someQuestions(20), { teacher }));
  expect(asked.report.problems).toEqual({ 'bad-request': 1 });
  const rejected = await stack.prepare('rejected', someQuestions(5), {
    teacher,
    templates: { teacherSystem: 'reject' },
  });
  const error: unknown = await stack.run(rejected).catch((caught: unknown) => caught);
  const histories = await Promise.all(
    ['faults', 'rejected'].map((run) => stack.client.workflow.getHandle(run).fetchHistory()),
  );
  const said = error as Error & { cause?: Error & { cause?: Error } };
  const everything = [
    everythingBelow(stack.home),
    JSON.stringify(histories),
    ...[said, said.cause, said.cause?.cause].map((each) => `${each?.message ?? ''} ${each?.stack ?? ''}`),
  ].join('\n');
  // What is searched holds what it should: the failed row in S3 and the failure in Temporal's data base.
  expect(everythingBelow(join(stack.home, 's3'))).toContain('no luck with [key]');
  expect(said.cause?.cause?.message).toContain('refused (bad-key): 401 no luck with [key]');
  expect(everything).not.toContain(apiKey);
});

test('nor does the key of a judge elsewhere, and no other key is sent there', async () => {
  const settings = { model: 'm', price: 'free', baseUrl: judge.baseUrl };
  const pairs = [{ before: 'Why?', after: 'How?' }];
  const judged = await stack.runJudge(await stack.prepareJudge(settings, pairs, { run: 'judge-faults' }));
  expect(judged.summary.compared.problems).toEqual({ 'bad-request': 2 });
  const rejecting = { ...settings, templates: { system: 'reject' } };
  const rejected = await stack.prepareJudge(rejecting, pairs, { run: 'judge-rejected' });
  const error = (await stack.runJudge(rejected).catch((caught: unknown) => caught)) as Error & {
    cause?: Error & { cause?: Error };
  };
  const histories = await Promise.all(
    ['judge-faults', 'judge-rejected'].map((run) => stack.client.workflow.getHandle(run).fetchHistory()),
  );
  const everything = [everythingBelow(stack.home), JSON.stringify(histories), error.cause?.cause?.message].join('\n');
  expect(everythingBelow(join(stack.home, 's3'))).toContain('no luck with [key]');
  expect(error.cause?.cause?.message).toContain(
    'refused (bad-key): 401 no luck with [key]. Fix: check RATCHET_KEY_JUDGE',
  );
  expect(everything).not.toContain(judgeKey);
  // A server that was sent another key would have answered with it.
  expect(judge.seen.chats).toBeGreaterThan(2);
});
