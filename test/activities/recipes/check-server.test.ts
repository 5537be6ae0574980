import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { checkJudge, checkTeacher } from '../../../activities/recipes/check-world.ts';
import { readEnvironment } from '../../../config/environment.ts';
import { Recipe } from '../../../config/recipe.ts';
import { problemText } from '../../../config/problem.ts';
import { sendJson } from '../../teacher/openai-server.ts';

/** Servers whose lists do not say whether they take key and model, and what decides then. */

type Answer = [status: number, body: object | string];
type Manners = {
  /** `GET /models` and `GET /models/<name>`; default: a list of the model. */
  models?: Answer | 'gone';
  /** `POST /chat/completions`; default: an answer. */
  chat?: Answer | ((body: Record<string, unknown>) => Answer | null);
  batches?: Answer;
};

const model = 'gpt-4.1-nano';
const listOf = (id: string): Answer => [200, { object: 'list', data: [{ id, object: 'model', owned_by: 'x' }] }];
const completion = {
  id: 'x',
  choices: [{ message: { content: 'OK' }, finish_reason: 'stop' }],
  usage: { prompt_tokens: 20, completion_tokens: 2 },
};
const html = '<html><body>Welcome to nginx!</body></html>';
const error = (message: string, code: string | null = null) => ({ error: { message, code } });

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  await Promise.all(stops.splice(0).map((stop) => stop()));
});

async function startServer({ models = listOf(model), chat, batches = [200, { object: 'list', data: [] }] }: Manners) {
  const seen: { chats: Record<string, unknown>[] } = { chats: [] };
  const send = (response: ServerResponse, [status, body]: Answer): void => {
    if (typeof body === 'string') response.writeHead(status, { 'content-type': 'text/html' }).end(body);
    else sendJson(response, status, body);
  };
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    if (request.url?.startsWith('/v1/models') === true) {
      if (models === 'gone') response.socket?.destroy();
      else send(response, models);
    } else if (request.url?.startsWith('/v1/batches') === true) send(response, batches);
    else {
      const body = JSON.parse(Buffer.concat(chunks).toString()) as Record<string, unknown>;
      seen.chats.push(body);
      send(response, (typeof chat === 'function' ? chat(body) : chat) ?? [200, completion]);
    }
  };
  const server = createServer((request, response) => void answer(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  stops.push(() => {
    server.closeAllConnections();
    return new Promise((resolve) =>
      server.close(() => {
        resolve();
      }),
    );
  });
  const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
  return { baseUrl, seen };
}

async function check(manners: Manners, teacher: Record<string, unknown> = {}, means?: { spend: boolean }) {
  const { baseUrl, seen } = await startServer(manners);
  const openai = readEnvironment({ OPENAI_BASE_URL: baseUrl, OPENAI_API_KEY: 'sk-0123456789' }).openai;
  const recipe = Recipe.parse({ name: 'x', description: 'x', teacher: { model, ...teacher }, budget: { capUsd: 1 } });
  const deps = { surroundings: { openai } } as Parameters<typeof checkTeacher>[0];
  const checked = await checkTeacher(deps, recipe, means);
  return { ...checked, texts: checked.problems.map(problemText), chats: seen.chats };
}

/** 20 tokens in, 2 out. */
const triedUsd = (20 * 0.1 + 2 * 0.4) / 1e6;

describe('lists that say yes', () => {
  it.each<[string, Manners]>([
    ['the model is listed', {}],
    ['the model is shown, though not listed', { models: [200, { id: model, object: 'model', data: [] }] }],
  ])('cost nothing: %s', async (_, manners) => {
    expect(await check(manners)).toMatchObject({ problems: [], cost: {}, chats: [] });
  });
});

describe('where lists do not say yes, one cheapest call decides', () => {
  const unclear: [string, Manners['models']][] = [
    ['a key that may chat and not look: 401', [401, error('Missing scopes: api.model.read', 'invalid_api_key')]],
    ['a key that may chat and not look: 403', [403, error('You have insufficient permissions')]],
    ['no such list: 404', [404, error('Invalid URL')]],
    ['405', [405, '']],
    ['400', [400, error('bad request')]],
    ['500', [500, html]],
    ['501', [501, error('not implemented')]],
    ['502 of a gateway that knows no such path', [502, html]],
    ['a web page', [200, html]],
    ['nothing', [200, {}]],
    ['null', [200, { object: 'list', data: null }]],
    ['a list of words', [200, { data: ['a', 'b'] }]],
    ['an empty list', [200, { object: 'list', data: [] }]],
    ['a list without the name: aliases, deployments, routers', listOf('another')],
  ];
  it.each(unclear)('%s: and it is yes', async (_, models) => {
    const { problems, cost, chats } = await check({ ...(models && { models }) });
    expect(problems).toEqual([]);
    expect(cost).toEqual({ teacherCalls: 1, teacherUsd: expect.closeTo(triedUsd, 12) as number });
    expect(chats).toMatchObject([{ model, max_tokens: 16, temperature: 0.3 }]);
  });

  const no: Answer = [401, error('Missing scopes')];
  it.each<[string, Manners['chat'], string]>([
    [
      '401',
      [401, error('Incorrect API key', 'invalid_api_key')],
      'OPENAI_API_KEY: HOST refused the key: 401 Incorrect API key. Fix: set a key that is valid there',
    ],
    ['403', [403, error('not for you')], 'OPENAI_API_KEY: HOST refused the key: 403 not for you'],
    [
      '404',
      [404, error('The model does not exist', 'model_not_found')],
      'teacher.model: HOST has no model gpt-4.1-nano: 404 The model does not exist. Fix: check teacher.model and teacher.baseUrl',
    ],
    [
      '400 in words',
      [400, error('Invalid model name passed in model=gpt-4.1-nano')],
      'teacher.model: HOST has no model gpt-4.1-nano',
    ],
    [
      'no quota',
      [429, error('You exceeded your quota', 'insufficient_quota')],
      'teacher.model: HOST refused (no-quota): 429 You exceeded your quota. Fix: check the quota',
    ],
    [
      'a field',
      [400, error('enable_thinking must be false')],
      'teacher.baseUrl: HOST refused a call of at most 16 tokens: 400 enable_thinking must be false. Fix: correct the settings under teacher',
    ],
    [
      'a temperature',
      [400, error("Unsupported value: 'temperature'", 'unsupported_value')],
      'teacher.temperature: HOST refused a call',
    ],
    ['a web page', [200, html], 'what came is no chat completion: <html>'],
    [
      'an error in the body',
      [200, error('no such thing')],
      'what came is no chat completion: {"error":{"message":"no such thing"',
    ],
  ])('and it is no: %s', async (_, chat, words) => {
    const { texts, cost } = await check({ models: no, ...(chat && { chat }) });
    expect(texts.map((text) => text.replaceAll(/127\.0\.0\.1:\d+/g, 'HOST'))).toEqual([expect.stringContaining(words)]);
    expect(cost).toEqual({});
  });

  it('names the models that there are', async () => {
    const { texts } = await check({ models: listOf('gpt-oss'), chat: [404, error('no such model')] });
    expect(texts[0]).toContain('Fix: use one of its models (gpt-oss) by teacher.model or GPT4_MODEL');
  });

  it('a model that thinks first, and comes to no answer in so few tokens, is there', async () => {
    const chat: Answer = [
      400,
      error('Could not finish the message because max_tokens or model output limit was reached.'),
    ];
    expect(await check({ models: no, chat })).toMatchObject({ problems: [] });
  });

  it('is made with the recipe’s own fields, and learns what the server calls the limit', async () => {
    const chat = (body: Record<string, unknown>): Answer | null =>
      'max_tokens' in body ? [400, error("Unsupported parameter: 'max_tokens'", 'unsupported_parameter')] : null;
    const { problems, chats } = await check({ models: no, chat }, { extraBody: { top_p: 0.5 }, temperature: null });
    expect(problems).toEqual([]);
    expect(chats.at(-1)).toMatchObject({ max_completion_tokens: 16, top_p: 0.5 });
    expect(chats.at(-1)).not.toHaveProperty('temperature');
  });

  it('costs nothing where nothing is to be spent, and is never made where the recipe insists', async () => {
    expect(await check({ models: no }, {}, { spend: false })).toMatchObject({ problems: [], chats: [], cost: {} });
    expect(await check({ models: no }, { checkModel: false })).toMatchObject({ problems: [], chats: [], cost: {} });
    expect(await check({ models: listOf('another') }, { checkModel: false })).toMatchObject({
      problems: [],
      chats: [],
    });
  });

  it('decides for a judge as well', async () => {
    const { baseUrl } = await startServer({ models: no });
    const openai = readEnvironment({ OPENAI_BASE_URL: baseUrl }).openai;
    const recipe = Recipe.parse({ name: 'x', description: 'x', judge: { model, price: 'free' } });
    const deps = { surroundings: { openai } } as Parameters<typeof checkJudge>[0];
    expect(await checkJudge(deps, recipe)).toMatchObject({ problems: [], cost: { judgeCalls: 1, judgeUsd: 0 } });
  });
});

describe('what may pass by itself is no answer', () => {
  it.each<[string, Manners]>([
    ['the list is broken off', { models: 'gone' }],
    ['the list comes later: 429', { models: [429, error('slow down')] }],
    ['the list comes later: 503', { models: [503, error('loading')] }],
    ['the call comes later: 429', { models: [404, {}], chat: [429, error('slow down')] }],
    ['the call comes later: 500', { models: [404, {}], chat: [500, error('oh')] }],
    ['all is down behind a gateway', { models: [502, html], chat: [502, html] }],
  ])('%s', async (_, manners) => {
    await expect(check(manners)).rejects.toMatchObject({ type: 'TeacherUnavailable', nonRetryable: false });
  });
});

describe('in batch mode, which cannot learn', () => {
  const batch = { mode: 'batch' };
  const picky = (body: Record<string, unknown>): Answer | null =>
    'max_tokens' in body ? [400, error("Unsupported parameter: 'max_tokens'", 'unsupported_parameter')] : null;
  it('the name of the limit is found out before anything is sent, and to be written', async () => {
    const { texts } = await check({ chat: picky }, batch);
    expect(texts).toEqual([
      expect.stringMatching(
        /^teacher\.tokenLimitField: .* refuses max_tokens.*Fix: write teacher\.tokenLimitField: max_completion_tokens$/,
      ),
    ]);
    const written = { ...batch, tokenLimitField: 'max_completion_tokens' };
    expect(await check({ chat: picky }, written)).toMatchObject({ problems: [], chats: [] });
    expect(await check({}, batch)).toMatchObject({ problems: [], cost: { teacherCalls: 1 } });
  });

  it.each<[string, Answer, string]>([
    ['404', [404, error('no such thing')], 'teacher.mode: HOST has no Batch API'],
    ['403', [403, error('Missing scopes: api.batch')], 'OPENAI_API_KEY: HOST refused the key: 403 Missing scopes'],
    ['400', [400, error('not here')], 'teacher.mode: HOST does not show its batches: 400 not here'],
  ])('its lists answer %s', async (_, batches, words) => {
    const { texts } = await check({ batches }, batch);
    expect(texts.map((text) => text.replaceAll(/127\.0\.0\.1:\d+/g, 'HOST'))).toEqual([expect.stringContaining(words)]);
  });
});
