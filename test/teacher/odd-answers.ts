import type { ResponseProblem, TeacherResponse } from '../../domain/records.ts';
import { choosing, error, goodText, parts, saying, usage } from './odd-servers.ts';
import type { Odd } from './odd-servers.ts';

/** Answers of odd servers, and what is to come of them. A new case is a line of a table. */

type Shape = [what: string, body: unknown, text: string, reasoning: string | undefined, row: TeacherResponse['class']];

const half = goodText.length / 2;

/** An answer is there, in an odd shape. */
// prettier-ignore
export const shapes: Shape[] = [
  ['a list of parts', parts({ type: 'text', text: goodText }), goodText, undefined, 'valid'],
  ['text in several parts', parts({ type: 'text', text: goodText.slice(0, half) }, { type: 'output_text', text: goodText.slice(half) }), goodText, undefined, 'valid'],
  ['a list of strings', parts(goodText), goodText, undefined, 'valid'],
  ['one part without a list', saying({ content: { type: 'text', text: goodText } }), goodText, undefined, 'valid'],
  ['thoughts in parts', parts({ type: 'thinking', thinking: [{ type: 'text', text: 'No?' }] }, { type: 'text', text: goodText }), goodText, 'No?', 'valid'],
  ['a part with reasoning', parts({ type: 'reasoning', text: 'No?' }, { type: 'text', text: goodText }), goodText, 'No?', 'valid'],
  ['a part that refuses', parts({ type: 'refusal', refusal: 'I will not.' }), '', undefined, 'refused'],
  ['reasoning_content', saying({ content: goodText, reasoning_content: 'No?' }), goodText, 'No?', 'valid'],
  ['reasoning', saying({ content: goodText, reasoning: 'No?' }), goodText, 'No?', 'valid'],
  ['reasoning under two names', saying({ content: goodText, reasoning: 'No?', reasoning_content: 'No?' }), goodText, 'No?', 'valid'],
  ['reasoning_details', saying({ content: goodText, reasoning_details: [{ type: 'reasoning.text', text: 'No?' }] }), goodText, 'No?', 'valid'],
  ['<think>', saying({ content: `<think>The answer is: **NO**</think>\n\n${goodText}` }), goodText, 'The answer is: **NO**', 'valid'],
  ['</think> alone', saying({ content: `The answer is: **NO**</think>${goodText}` }), goodText, 'The answer is: **NO**', 'valid'],
  ['<think> that is cut off', saying({ content: `<think>${goodText}, or` }, 'length'), '', `${goodText}, or`, 'truncated'],
  ['reasoning_content that is cut off', saying({ content: null, reasoning_content: goodText }, 'length'), '', goodText, 'truncated'],
  ['a blank refusal', saying({ content: goodText, refusal: '' }), goodText, undefined, 'valid'],
  ['a tool call beside it', saying({ content: goodText, tool_calls: [{ id: 'c' }] }, 'tool_calls'), goodText, undefined, 'valid'],
  ['another name of the limit', saying({ content: 'So' }, 'MAX_TOKENS'), 'So', undefined, 'truncated'],
  ['an empty error beside it', saying({ content: goodText }, 'stop', { error: null }), goodText, undefined, 'valid'],
  ['no finish_reason', choosing({ message: { content: goodText }, finish_reason: null }), goodText, undefined, 'valid'],
  ['no model', saying({ content: goodText }, 'stop', { model: null }), goodText, undefined, 'valid'],
  ['usage that is null', saying({ content: goodText }, 'stop', { usage: null }), goodText, undefined, 'valid'],
  ['usage without numbers', saying({ content: goodText }, 'stop', { usage: { prompt_tokens: null, completion_tokens: '5' } }), goodText, undefined, 'valid'],
  ['a list of one', [saying({ content: goodText })], goodText, undefined, 'valid'],
];

/** What one such answer costs: nothing, its usage, or the most that it can cost. */
type Charged = 'nothing' | 'usage' | 'most';
type Waste = [what: string, odd: Odd, problem: ResponseProblem, words: string, charged: Charged];

const wrong = 'Something went wrong';
const broken = { error: { message: wrong }, finish_reason: 'error' };
const call = { id: 'c', type: 'function', function: { name: 'f', arguments: '{}' } };

/** Something came, and it is no answer. */
// prettier-ignore
export const waste: Waste[] = [
  ['an error without a code', { body: error(wrong) }, 'malformed', wrong, 'nothing'],
  ['an error in plain words', { body: { error: wrong } }, 'malformed', wrong, 'nothing'],
  ['a detail', { body: { detail: wrong } }, 'malformed', wrong, 'nothing'],
  ['details', { body: { detail: [{ loc: ['body', 'n'], msg: wrong }] } }, 'malformed', `body.n: ${wrong}`, 'nothing'],
  ['a message', { body: { message: wrong, object: 'error' } }, 'malformed', wrong, 'nothing'],
  ['an error beside no choices', { body: { ...error(wrong), choices: [] } }, 'malformed', wrong, 'nothing'],
  ['an error from behind a proxy', { body: { error: { message: 'Provider returned error', metadata: { raw: wrong } } } }, 'malformed', wrong, 'nothing'],
  ['an error with usage', { body: { ...error(wrong), usage } }, 'malformed', wrong, 'usage'],
  ['an error in its choice', { body: choosing({ ...broken, message: { content: '' } }) }, 'malformed', wrong, 'usage'],
  ['an error in its choice, half-way', { body: choosing({ ...broken, message: { content: goodText } }) }, 'malformed', wrong, 'usage'],
  ['a choice that broke off', { body: saying({ content: 'The answer' }, 'error') }, 'malformed', 'broke off', 'usage'],
  ['a choice that was aborted', { body: saying({ content: 'The answer' }, 'abort') }, 'malformed', 'broke off', 'usage'],
  ['reasoning_content alone', { body: saying({ content: null, reasoning_content: goodText }) }, 'reasoning-only', 'nothing after it', 'usage'],
  ['reasoning alone', { body: saying({ content: '', reasoning: goodText }) }, 'reasoning-only', 'nothing after it', 'usage'],
  ['a think block alone', { body: saying({ content: `<think>${goodText}</think>` }) }, 'reasoning-only', 'nothing after it', 'usage'],
  ['a think block that never ends', { body: saying({ content: `<think>${goodText}` }) }, 'reasoning-only', 'nothing after it', 'usage'],
  ['parts that only think', { body: parts({ type: 'thinking', thinking: goodText }) }, 'reasoning-only', 'nothing after it', 'usage'],
  ['an empty text', { body: saying({ content: '' }) }, 'empty', 'is empty', 'usage'],
  ['null', { body: saying({ content: null }) }, 'empty', 'is empty', 'usage'],
  ['white space', { body: saying({ content: ' \n\t ' }) }, 'empty', 'is empty', 'usage'],
  ['a list of nothing', { body: parts() }, 'empty', 'is empty', 'usage'],
  ['a number as text', { body: saying({ content: 42 }) }, 'empty', 'is empty', 'usage'],
  ['an empty text without usage', { body: saying({ content: '' }, 'stop', { usage: undefined }) }, 'empty', 'is empty', 'most'],
  ['a tool call', { body: saying({ content: null, tool_calls: [call] }, 'tool_calls') }, 'tool-call', 'calls a tool', 'usage'],
  ['a part that calls a tool', { body: parts({ type: 'tool_use', name: 'f', input: {} }) }, 'tool-call', 'calls a tool', 'usage'],
  ['no message', { body: choosing({}) }, 'malformed', 'no message', 'usage'],
  ['no choices', { body: { model: 'm', choices: [], usage } }, 'malformed', 'no choices', 'usage'],
  ['choices that are null', { body: { model: 'm', choices: null } }, 'malformed', 'no choices', 'most'],
  ['choices that are none', { body: { choices: ['YES', null] } }, 'malformed', 'no choices', 'most'],
  ['another object', { body: { ok: true } }, 'malformed', 'no choices', 'most'],
  ['null as a whole', { text: 'null' }, 'malformed', 'not a chat completion', 'most'],
  ['a number', { text: '42' }, 'malformed', 'not a chat completion', 'most'],
  ['an empty list', { text: '[]' }, 'malformed', 'not a chat completion', 'most'],
  ['nothing', { text: '' }, 'malformed', 'not a chat completion', 'most'],
  ['no content', { status: 204, text: '' }, 'malformed', 'not a chat completion', 'most'],
  ['JSON that is cut off', { text: '{"choices":[{"mess' }, 'malformed', 'not JSON', 'most'],
  ['a page', { text: '<html>Please log in</html>', headers: { 'content-type': 'text/html' } }, 'malformed', 'Please log in', 'nothing'],
];

const unbilled = { usage: undefined };

/** Errors with status 200 that pass, as they would with a status of their own. */
// prettier-ignore
export const passing: [what: string, odd: Odd, problem: ResponseProblem][] = [
  ['429', { body: error('Limited', 429) }, 'rate-limit'],
  ['429 as text', { body: error('Limited', '429') }, 'rate-limit'],
  ['429 by name', { body: error('Slow down', 'rate_limit_exceeded') }, 'rate-limit'],
  ['429 by type', { body: { error: { message: 'Slow down', type: 'rate_limit_error' } } }, 'rate-limit'],
  ['429 of a choice', { body: choosing({ error: { code: 429, message: 'Slow down' }, message: { content: '' } }, unbilled) }, 'rate-limit'],
  ['429 of a list', { body: [{ error: { code: 429, message: 'Slow down', status: 'RESOURCE_EXHAUSTED' } }] }, 'rate-limit'],
  ['429 before its words', { body: { error: '429 Too Many Requests' } }, 'rate-limit'],
  ['429 beside no choices', { body: { ...error('Slow down', 429), choices: [] } }, 'rate-limit'],
  ['500', { body: error('Upstream failed', 500) }, 'server-error'],
  ['502 of a choice', { body: choosing({ error: { code: 502, message: 'Upstream failed' }, finish_reason: 'error' }, unbilled) }, 'server-error'],
  ['503 beside its words', { body: { message: 'Upstream failed', code: 503 } }, 'server-error'],
  ['overloaded', { body: { type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } } }, 'server-error'],
];

/** Limits that fill again, which some providers call a quota. */
// prettier-ignore
export const limits: [what: string, odd: Odd][] = [
  ['a quota of a minute', { status: 429, body: error('You exceeded your current quota. Please retry in 0.1s.') }],
  ['a quota with Retry-After', { status: 429, headers: { 'retry-after': '0' }, body: error('Quota exceeded') }],
  ['a limit that advertises', { status: 429, body: error('Rate limit reached. Add a payment method: /account/billing') }],
  ['a quota of a minute in the body', { body: error('Quota exceeded for requests per minute', 429) }],
];

type End = [what: string, odd: Odd, reason: 'no-quota' | 'bad-key' | 'unknown-model', words: string];

/** What no request can get past. */
// prettier-ignore
export const ends: End[] = [
  ['402', { status: 402, body: error('Insufficient Balance') }, 'no-quota', 'Insufficient Balance'],
  ['402 without words', { status: 402, text: '' }, 'no-quota', '402'],
  ['402 in the body', { body: error('Insufficient credits', 402) }, 'no-quota', 'Insufficient credits'],
  ['402 in its choice', { body: choosing({ error: { code: 402, message: 'More, please' }, message: { content: '' } }) }, 'no-quota', 'More, please'],
  ['a code in the body', { body: error('You exceeded your quota', 'insufficient_quota') }, 'no-quota', 'exceeded your quota'],
  ['words in the body', { body: { error: 'Your credit balance is too low' } }, 'no-quota', 'credit balance is too low'],
  ['MiniMax', { body: { base_resp: { status_code: 1008, status_msg: 'insufficient balance' } } }, 'no-quota', 'insufficient balance'],
  ['400 of an empty account', { status: 400, body: error('Your credit balance is too low to access the API') }, 'no-quota', 'credit balance'],
  ['400 of an account in arrears', { status: 400, body: error('Access denied, please make sure your account is in good standing', 'Arrearage') }, 'no-quota', 'good standing'],
  ['403 about billing', { status: 403, body: error('Please check the billing of your account') }, 'no-quota', 'billing'],
  ['429 about quota', { status: 429, body: error('You exceeded your current quota, please check your plan') }, 'no-quota', 'current quota'],
  ['429 by type', { status: 429, body: { error: { message: 'No.', type: 'exceeded_current_quota_error' } } }, 'no-quota', 'No.'],
  ['401 in the body', { body: error('No such key', 401) }, 'bad-key', 'No such key'],
  ['a wrong key in words', { body: { error: 'Invalid API key' } }, 'bad-key', 'Invalid API key'],
  ['404 in the body', { body: error('Which model?', 404) }, 'unknown-model', 'Which model?'],
];

/** Refusals of every request, and the setting that answers them. */
// prettier-ignore
export const refusals: [what: string, status: number, words: string, fix: string][] = [
  ['thinking', 400, 'parameter.enable_thinking must be set to false for non-streaming calls', 'set teacher.extraBody'],
  ['a system prompt', 400, 'System role not supported', 'set teacher.systemRole: user'],
  ['a role', 400, 'Developer instruction is not enabled for this model', 'set teacher.systemRole: user'],
  ['the roles of a template', 400, 'Conversation roles must alternate user/assistant/user/assistant/...', 'set teacher.systemRole: user'],
  ['a header', 400, 'missing required header anthropic-version', 'set teacher.headers'],
  ['its temperature', 400, 'temperature must be 1 for this model', 'set teacher.temperature'],
  ['too much', 400, "This model's maximum context length is 128 tokens", 'lower teacher.maxTokens'],
  ['422', 422, 'Input should be a valid string', 'teacher.extraBody'],
  ['405', 405, 'Method Not Allowed', 'teacher.extraBody'],
  ['400 in the body', 200, 'enable_thinking must be false', 'set teacher.extraBody'],
];
