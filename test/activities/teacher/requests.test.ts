import { expect, it } from 'vitest';
import { judgeRequests } from '../../../activities/judge/judge-requests.ts';
import { sha256 } from '../../../activities/store/files.ts';
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
    { simulated: true, official: false },
    [
      'ed049af3 b5015992 519 534',
      '9a969541 41a6f0c6 498 529',
      'dc99beb9 cdca2415 519 534',
      '3a286bd3 7b1efbce 498 529',
    ],
  ],
  [
    { simulated: false, official: true },
    [
      'c8db4bf9 f75172d1 519 534',
      '3d4794f3 2c22f9a3 498 529',
      '575926b9 9f7b3515 519 534',
      '091cfa17 2d9b4210 498 529',
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
  [{ simulated: true, official: false, seed: 42 }, ['cf4ed7f5 8c403851 698 479', 'aae5ddf5 d9efc681 698 479']],
  [{ simulated: false, official: true, seed: 42 }, ['4c05d297 1f4f1d5c 698 479', 'a383f806 1a236eb1 698 479']],
  [{ simulated: false, official: false, seed: 42 }, ['ea3c91ac 9036adcf 698 479', 'ac69fea3 2de70351 698 479']],
])('requests to the judge are what they were, byte by byte: %j', (server, expected) => {
  const templates = resolveJudgeTemplates({});
  const pair = { id: 'q', question: 'Is it so?', before: 'Why?', after: 'Since when – and how?' };
  expect(judgeRequests(Judge.parse({}), templates, pair, server).map(told)).toEqual(expected);
});
