import { describe, expect, it } from 'vitest';
import { readLine } from '../../activities/teacher/batches/lines.ts';
import { choosing, parts, saying } from './odd-servers.ts';

const price = { inputPerMillionUsd: 1, outputPerMillionUsd: 10 };
const sent = new Map([['d1', { input: 300, output: 100 }]]);
const read = (line: object | string) => readLine(typeof line === 'string' ? line : JSON.stringify(line), sent, price);
const answered = (status_code: number, body: unknown) =>
  read({ id: 'batch_req_1', custom_id: 'd1', response: { status_code, request_id: 'r', body }, error: null });
const error = (message: string, code: string | null = null) => ({ error: { message, code } });

describe('a line of what a batch left', () => {
  it('is an answer, at the price of its usage', () => {
    const choices = [{ finish_reason: 'stop', message: { content: 'YES', refusal: null } }];
    const usage = { prompt_tokens: 200, completion_tokens: 50 };
    expect(answered(200, { model: 'm', choices, usage })).toMatchObject({
      digest: 'd1',
      paidUsd: (200 + 500) / 1e6,
      response: { text: 'YES', inputTokens: 200, outputTokens: 50 },
    });
    expect(answered(200, { model: 'm', choices })).toMatchObject({ paidUsd: (300 + 1000) / 1e6 });
  });

  it('that cannot be read may have been charged, and is sent again', () => {
    expect(answered(200, { choices: [] })).toMatchObject({
      paidUsd: (300 + 1000) / 1e6,
      fault: { problem: 'malformed', again: true },
    });
  });

  it.each([
    [500, error('The server had an error.'), 'server-error', true],
    [429, error('Rate limit reached', 'rate_limit_exceeded'), 'rate-limit', true],
    [400, error('Refused by the content filter', 'content_filter'), 'content-filter', false],
    [400, error("This model's maximum context length is 8192 tokens"), 'context-too-long', false],
    [400, 'no JSON of theirs', 'bad-request', false],
  ])('with status %i is a fault of its request or passes', (status, body, problem, again) => {
    expect(answered(status, body)).toMatchObject({ paidUsd: 0, fault: { problem, again } });
  });

  it('may say what no request can get past', () => {
    expect(answered(429, error('You exceeded your quota', 'insufficient_quota'))).toMatchObject({
      rejection: { kind: 'rejected', reason: 'no-quota' },
      fault: { again: true },
    });
  });

  it.each([
    ['batch_expired', 'timeout'],
    ['batch_cancelled', 'timeout'],
    ['server_error', 'server-error'],
  ])('%s: it was not begun', (code, problem) => {
    expect(read({ custom_id: 'd1', response: null, error: { code, message: 'not done' } })).toMatchObject({
      fault: { problem, message: 'not done', again: true },
    });
  });

  it('about what was not sent, or of another shape, is passed over', () => {
    expect(read({ custom_id: 'another', response: null, error: { code: 'batch_expired' } })).toBeNull();
    expect(read('{"cut')).toBeNull();
    expect(read({ response: null })).toBeNull();
  });

  const most = (300 + 1000) / 1e6;
  const billed = (100 + 500) / 1e6;
  const noQuota = { rejection: { kind: 'rejected', reason: 'no-quota' } };
  it.each<[what: string, status: number, body: unknown, read: object]>([
    ['parts', 200, parts({ type: 'text', text: 'YES' }), { paidUsd: billed, response: { text: 'YES' } }],
    ['<think>', 200, saying({ content: '<think>no</think>YES' }), { response: { text: 'YES', reasoning: 'no' } }],
    ['cut off', 200, saying({ content: '<think>no' }, 'length'), { response: { text: '', finish: 'length' } }],
    ['nothing', 200, saying({ content: '' }), { paidUsd: billed, fault: { problem: 'empty', again: true } }],
    ['reasoning', 200, saying({ reasoning: 'no' }), { paidUsd: billed, fault: { problem: 'reasoning-only' } }],
    ['no message', 200, choosing({}), { paidUsd: billed, fault: { problem: 'malformed', again: true } }],
    ['another object', 200, {}, { paidUsd: most, fault: { problem: 'malformed', again: true } }],
    ['429 in a body', 200, error('slow', '429'), { paidUsd: 0, fault: { problem: 'rate-limit', again: true } }],
    ['402 in a body', 200, error('pay', '402'), { paidUsd: 0, ...noQuota }],
    ['402', 402, error('pay'), { paidUsd: 0, ...noQuota }],
    ['429 of an empty account', 429, error('You exceeded your current quota'), { paidUsd: 0, ...noQuota }],
    ['a detail', 422, { detail: [{ loc: ['body', 'n'], msg: 'many' }] }, { fault: { message: '422 body.n: many' } }],
  ])('in an odd shape is read all the same: %s', (_, status, body, fields) => {
    expect(answered(status, body)).toMatchObject(fields);
  });

  it('with an error of its own may say it with a number, and what no request can get past', () => {
    const of = (own: object) => read({ custom_id: 'd1', response: null, error: own });
    expect(of({ code: 500, message: 'out' })).toMatchObject({ fault: { problem: 'server-error', message: 'out' } });
    expect(of({ code: 'insufficient_quota', message: 'pay' })).toMatchObject(noQuota);
  });
});
