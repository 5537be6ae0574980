import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Store } from '../../activities/store/store.ts';
import type { TeacherResponse } from '../../domain/records.ts';
import { startTestS3 } from '../setup/s3.ts';
import type { TestS3 } from '../setup/s3.ts';
import { judgeInput, judgePairs } from './judge-stage.ts';
import { sendJson } from './openai-server.ts';
import { ask, askInput, someQuestions } from './stage.ts';
import { nano, paid, simulated } from './teachers.ts';

/** Servers that refuse a field which others want, in their own words, and what recipes add to requests. */

let s3: TestS3;
let store: Store;
beforeAll(async () => {
  s3 = await startTestS3();
  store = s3.newStore();
});
afterAll(() => s3.stop());

type Body = Record<string, unknown> & { messages: { role: string; content: string }[] };
type Refusal = [status: number, body: object];

/** A server that refuses what `refusalOf` says of a body, and answers the rest. */
async function picky(refusalOf: (body: Body) => Refusal | null = () => null) {
  const server = await paid({
    behave: (body, response) => {
      const refusal = refusalOf(body as unknown as Body);
      return refusal === null ? false : sendJson(response, ...refusal);
    },
  });
  const bodies = (): Body[] => server.seen.bodies.map((body) => JSON.parse(body) as Body);
  return { ...server, bodies };
}

let maxTokens = 500;
/** A stage of its own requests, so that no answer of another test is found. */
async function stage(more: Record<string, unknown> = {}, attempts = 1, count = 6) {
  const teacher = { ...nano, maxTokens: (maxTokens += 1), concurrency: 2, ...more };
  const questions = someQuestions(count);
  return askInput(store, { teacher }, { run: `odd-fields-${maxTokens}`, attempts, questions });
}

const error = (message: string, more: object = {}) => ({ error: { message, type: 'invalid_request_error', ...more } });
const detail = (field: string) => [
  { type: 'extra_forbidden', loc: ['body', field], msg: 'Extra inputs are not permitted' },
];

/** How servers refuse a field that they do not know. */
const refusals: [who: string, refusal: (field: string) => Refusal][] = [
  [
    'OpenAI, Azure',
    (field) => {
      const code = { param: field, code: 'unsupported_parameter' };
      return [400, error(`Unsupported parameter: '${field}' is not supported with this model.`, code)];
    },
  ],
  ['Azure, older', (field) => [400, error(`Unrecognized request argument supplied: ${field}`, { code: null })]],
  ['LiteLLM', (field) => [400, error(`AzureException BadRequestError - Unsupported parameter: '${field}'..`)]],
  ['a proxy', (field) => [500, { detail: `Error code: 400 - {'message': "'${field}' is not supported"}` }]],
  ['FastAPI', (field) => [422, { detail: detail(field) }]],
  ['Mistral', (field) => [422, { object: 'error', message: { detail: detail(field) }, type: 'invalid_request_error' }]],
  ['vLLM', (field) => [400, { object: 'error', message: JSON.stringify(detail(field)), code: 400 }]],
  ['a strict schema', (field) => [400, error(`Additional properties are not allowed ('${field}' was unexpected)`)]],
  ['Go', (field) => [400, { error: `json: unknown field "${field}"` }]],
];

describe('a name of the token limit that is refused', () => {
  it.each(refusals)('by %s: the other one is learnt, once for all, in both directions', async (_, refusal) => {
    let wanted = 'max_completion_tokens';
    const server = await picky((body) => {
      const field = ['max_tokens', 'max_completion_tokens'].find((name) => name in body && name !== wanted);
      return field === undefined ? null : refusal(field);
    });
    const asked = await ask(store, server, await stage({ concurrency: 1 }));
    expect(asked).toMatchObject({ calls: 6, report: { byClass: { failed: 0 } } });
    // One refusal, repeated at once although no retry is allowed.
    expect(server.seen).toMatchObject({ chats: 7, paid: 6 });
    await ask(store, server, await stage());
    expect(server.seen).toMatchObject({ chats: 13, paid: 12 });
    wanted = 'max_tokens';
    await ask(store, server, await stage({ concurrency: 1 }));
    expect(server.seen).toMatchObject({ chats: 20, paid: 18 });
    expect(server.bodies().every((body) => 'max_tokens' in body !== 'max_completion_tokens' in body)).toBe(true);
  });

  it('may be said by the recipe; then it is not asked in turns', async () => {
    const server = await picky((body) => ('max_tokens' in body ? [400, error("'max_tokens' is not supported")] : null));
    const { calls } = await ask(store, server, await stage({ tokenLimitField: 'max_completion_tokens' }));
    expect([calls, server.seen.chats]).toEqual([6, 6]);
    const set = await stage({ tokenLimitField: 'max_tokens' }, 1, 1);
    await ask(store, server, set).catch(() => undefined);
    expect(server.seen.chats).toBe(7);
  });

  it('by a server that takes neither ends, and no value that is too large is taken for it', async () => {
    const neither = await picky((body) => {
      const field = 'max_tokens' in body ? 'max_tokens' : 'max_completion_tokens';
      return [400, error(`'${field}' is not supported`)];
    });
    await ask(store, neither, await stage({}, 1, 1)).catch(() => undefined);
    expect(neither.seen.chats).toBe(2);
    const words = 'max_tokens is too large: 501. This model supports at most 100 completion tokens.';
    const small = await picky(() => [400, error(words, { param: 'max_tokens' })]);
    await ask(store, small, await stage({}, 1, 1)).catch(() => undefined);
    expect(small.seen.chats).toBe(1);
  });

  it('is learnt for the judge as well', async () => {
    const server = await picky((body) => ('max_tokens' in body ? [400, error("'max_tokens' is not supported")] : null));
    const judge = { ...nano, price: 'free', maxTokens: 401 };
    const input = await judgeInput(store, judge, [{ before: 'Why?', after: 'How?' }], { run: 'odd-fields-judge' });
    await judgePairs(store, server, input);
    expect(server.seen.paid).toBe(2);
  });
});

describe('attempts at one question', () => {
  it('differ on the wire, five of five', async () => {
    const server = await picky();
    await ask(store, server, await stage({}, 5, 2));
    expect(new Set(server.seen.bodies).size).toBe(10);
    expect(
      server
        .bodies()
        .map(({ seed }) => seed ?? 0)
        .sort(),
    ).toEqual([0, 0, 1, 1, 2, 2, 3, 3, 4, 4]);
  });

  it.each(refusals)('also where %s refuses to tell them apart by a field', async (_, refusal) => {
    const server = await picky((body) => ('seed' in body ? refusal('seed') : null));
    const asked = await ask(store, server, await stage({ concurrency: 1 }, 5, 2));
    expect(asked.report.byClass).toMatchObject({ failed: 0 });
    expect(server.seen).toMatchObject({ chats: 11, paid: 10 });
    const answered = server.bodies().filter((body) => !('seed' in body));
    expect(new Set(answered.map((body) => JSON.stringify(body))).size).toBe(10);
    // What is asked stays the same, but for the white space behind it.
    expect(new Set(answered.map(({ messages }) => messages.at(-1)?.content.trim())).size).toBe(2);
  });
});

describe('what a recipe adds', () => {
  it('goes into each request; fields and the prompt’s role are another question, and so is another header', async () => {
    const extraBody = { chat_template_kwargs: { enable_thinking: false }, top_p: 0.9 };
    const server = await picky();
    const same = maxTokens + 1;
    const asks = async (more: Record<string, unknown>) => {
      maxTokens = same - 1;
      return (await ask(store, server, await stage(more, 1, 1))).calls;
    };
    expect(await asks({})).toBe(1);
    expect(await asks({ extraBody })).toBe(1);
    expect(server.bodies().at(-1)).toMatchObject({ ...extraBody, model: nano.model });
    expect(await asks({ systemRole: 'user' })).toBe(1);
    const [system, user] = server.bodies()[0]?.messages ?? [];
    const folded = `${system?.content ?? ''}\n\n${user?.content ?? ''}`;
    expect(server.bodies().at(-1)?.messages).toEqual([{ role: 'user', content: folded }]);
    expect(await asks({ headers: { 'X-Title': 'ratchet' } })).toBe(1);
    expect(server.headers.at(-1)).toMatchObject({ 'x-title': 'ratchet' });
    expect(await asks({ temperature: null })).toBe(1);
    expect(server.bodies().at(-1)).not.toHaveProperty('temperature');
    const before = server.seen.chats;
    for (const more of [{}, { extraBody }, { systemRole: 'user' }, { temperature: null }]) await asks(more);
    expect(server.seen.chats).toBe(before);
  });

  it('a folded prompt is understood by the simulated teacher and judge too', async () => {
    const server = await simulated();
    const exact = { simulated: { errorRateYes: 0, errorRateNo: 0 } };
    const asked = await ask(store, server, await stage({ model: 'simulated-teacher', systemRole: 'user', ...exact }));
    expect(asked.report.byClass).toMatchObject({ valid: 6 });
  });
});

describe('a temperature that is refused', () => {
  it.each<[string, Refusal]>([
    [
      'OpenAI',
      [
        400,
        error(
          "Unsupported value: 'temperature' does not support 0.3 with this model. Only the default (1) value is supported.",
          {
            ...{ param: 'temperature', code: 'unsupported_value' },
          },
        ),
      ],
    ],
    ['others', [400, { detail: "'temperature' is not supported by this model" }]],
  ])('by %s is not dropped: the error says what to write', async (_, refusal) => {
    const server = await picky((body) => ('temperature' in body ? refusal : null));
    const failed = ask(store, server, await stage({}, 1, 1));
    await expect(failed).rejects.toMatchObject({ type: 'TeacherRejected' });
    await expect(failed).rejects.toThrow('teacher.temperature: null leaves it out');
    expect(server.seen.chats).toBe(1);
    expect((await ask(store, server, await stage({ temperature: null }))).calls).toBe(6);
  });
});

it('a refused request keeps the words of its server, whatever shape they have', async () => {
  for (const body of [
    { detail: 'no such thing' },
    { message: 'no such thing' },
    { error: 'no such thing' },
    { why: 'no such thing' },
  ]) {
    const server = await picky(() => [400, body]);
    const asked = await ask(store, server, await stage({}, 1, 1));
    const [row] = await store.rows<TeacherResponse>(asked.responses);
    expect(row?.error).toContain('no such thing');
  }
});
