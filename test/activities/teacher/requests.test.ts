import { expect, it } from 'vitest';
import { judgeRequests } from '../../../activities/judge/judge-requests.ts';
import { sha256 } from '../../../activities/store/files.ts';
import { inputLine } from '../../../activities/teacher/batches/lines.ts';
import { teacherRequests } from '../../../activities/teacher/requests.ts';
import type { ApiRequest } from '../../../activities/teacher/requests.ts';
import { Judge } from '../../../config/judge.ts';
import { Recipe } from '../../../config/recipe.ts';
import { resolveJudgeTemplates } from '../../../domain/judge-prompt.ts';
import { someQuestions } from '../../teacher/stage.ts';

const short = (text: string): string => text.slice(0, 8);
/** What stored responses are found by, and what goes to the server and counts against limits. */
const told = ({ digest, body, mostInputTokens, usualTokens }: ApiRequest) =>
  [short(digest), short(sha256(JSON.stringify(body))), mostInputTokens, usualTokens].join(' ');

async function* questions() {
  await Promise.resolve();
  yield* someQuestions(2);
}

it.each([
  [
    { simulated: true, official: false, server: 'http://127.0.0.1:7080/v1' },
    [
      '638d9da2 b5015992 519 534',
      '2eecd9e3 41a6f0c6 498 529',
      'e6d01655 cdca2415 519 534',
      'eb91a9ba 7b1efbce 498 529',
    ],
  ],
  [
    { simulated: false, official: true, server: 'https://api.openai.com/v1' },
    [
      'b3d1333d f75172d1 519 534',
      'd5e827de 14bd76f0 498 529',
      '14d56213 9f7b3515 519 534',
      '4b442440 33ac62d8 498 529',
    ],
  ],
])('requests to the teacher are what they were, byte by byte: %j', async (server, expected) => {
  const teacherVariants = [{ name: 'usual' }, { name: 'terse', user: '{question} – {draft}' }];
  const recipe = Recipe.parse({ name: 'test', description: 'test', templates: { teacherVariants } });
  const found: string[] = [];
  const requests = teacherRequests(recipe, questions(), () => Promise.resolve('Yes, as drafted.'), 2, server);
  for await (const request of requests) found.push(told(request));
  expect(found).toEqual(expected);
});

it.each([
  [
    { simulated: true, official: false, server: 'http://127.0.0.1:7080/v1', seed: 42 },
    ['4e948db8 8c403851 698 479', 'ebd5bb24 d9efc681 698 479'],
  ],
  [
    { simulated: false, official: true, server: 'https://api.openai.com/v1', seed: 42 },
    ['196352d5 1f4f1d5c 698 479', '12bee587 1a236eb1 698 479'],
  ],
  [
    { simulated: false, official: false, server: 'http://127.0.0.1:8000/v1', seed: 42 },
    ['0a0d8278 9036adcf 698 479', 'a7f3da0b 2de70351 698 479'],
  ],
])('requests to the judge are what they were, byte by byte: %j', (server, expected) => {
  const templates = resolveJudgeTemplates({});
  const pair = { id: 'q', question: 'Is it so?', before: 'Why?', after: 'Since when – and how?' };
  expect(judgeRequests(Judge.parse({}), templates, pair, server).map(told)).toEqual(expected);
});

it('in batches attempts are marked in a way that no server refuses, and are the same requests as live ones', async () => {
  const server = { simulated: false, official: false, server: 'http://127.0.0.1:8000/v1' };
  const made = async (teacher: object) => {
    const recipe = Recipe.parse({ name: 'test', description: 'test', teacher });
    const all: ApiRequest[] = [];
    for await (const one of teacherRequests(recipe, questions(), () => Promise.resolve('Yes.'), 3, server))
      all.push(one);
    return all;
  };
  const extraBody = { chat_template_kwargs: { enable_thinking: false } };
  const asked = { extraBody, systemRole: 'user', tokenLimitField: 'max_completion_tokens', temperature: null };
  const [live, batch] = [await made(asked), await made({ ...asked, mode: 'batch' })];
  expect(batch.map(({ digest }) => digest)).toEqual(live.map(({ digest }) => digest));
  const lines = batch.map((request) => JSON.parse(JSON.stringify(inputLine(request))) as { body: object });
  expect(new Set(lines.map(({ body }) => JSON.stringify(body))).size).toBe(6);
  for (const { body } of lines) {
    const fields = ['chat_template_kwargs', 'max_completion_tokens', 'messages', 'model'];
    expect(Object.keys(body).sort()).toEqual(fields);
    expect(body).toMatchObject({ ...extraBody, messages: [{ role: 'user' }] });
  }
});
