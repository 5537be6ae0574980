import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { Question } from '../../domain/records.ts';
import { judgeSets } from './judging.ts';
import { givenAnswer, questionOf, teach } from './teaching.ts';

const share = z.coerce.number().min(0).max(1);

/**
 * What it reads of a chat request. `metadata` says how to err; without it it errs as the reference teacher did. With
 * `task: judge` it compares two texts.
 */
export const ChatRequest = z.object({
  model: z.string().min(1),
  messages: z.array(z.object({ role: z.string(), content: z.string() })).min(1),
  max_tokens: z.int().min(1).nullish(),
  max_completion_tokens: z.int().min(1).nullish(),
  metadata: z
    .object({
      seed: z.string().default('42'),
      attempt: z.string().default('0'),
      error_rate_yes: z.coerce.number().min(0).max(1).default(0.571),
      error_rate_no: z.coerce.number().min(0).max(1).default(0.101),
      task: z.literal('judge').optional(),
      position_bias: share.optional(),
      length_bias: share.optional(),
      error_rate: share.optional(),
    })
    .prefault({}),
  response_format: z.object({ type: z.string() }).optional(),
});
export type ChatRequest = z.infer<typeof ChatRequest>;

/** About four characters of English per token. */
const charactersPerToken = 4;
const tokensOf = (text: string): number => Math.ceil(text.length / charactersPerToken);

/** Names of everything it serves begin with `simulated`. */
export const servedName = (model: string): string => (model.startsWith('simulated') ? model : `simulated-${model}`);

export const requestDigest = (request: ChatRequest): string =>
  createHash('sha256').update(JSON.stringify(request)).digest('hex');

export const promptTokens = ({ messages }: ChatRequest): number =>
  messages.reduce((sum, { content }) => sum + tokensOf(content), 0);

/** Most tokens that a request asks for, as a provider counts them against its limit of tokens per minute. */
export const askedTokens = (request: ChatRequest): number =>
  promptTokens(request) + (request.max_completion_tokens ?? request.max_tokens ?? 0);

/** A text about nothing, the same for the same request. */
const genericText = (digest: string): string =>
  `The simulated teacher was told nothing about this (${digest.slice(0, 16)}). `.repeat(4).trim();

/** How an answer is to come out other than it would. */
type Ending = { refuse: boolean; truncate: boolean; generic: boolean };

/** A chat completion; null when it has no facts about what is asked. Same request, same answer. */
export function complete(
  request: ChatRequest,
  digest: string,
  known: ReadonlyMap<string, Question>,
  { refuse, truncate, generic }: Ending,
) {
  const whole = textFor(request, known) ?? (generic ? genericText(digest) : null);
  if (whole === null) return null;
  const asked = request.max_completion_tokens ?? request.max_tokens ?? Infinity;
  const limit = truncate ? Math.min(asked, Math.floor(tokensOf(whole) / 2)) : asked;
  const cut = tokensOf(whole) > limit;
  const text = cut ? whole.slice(0, limit * charactersPerToken) : whole;
  const usage = { prompt_tokens: promptTokens(request), completion_tokens: tokensOf(text) };
  const message = refuse
    ? { role: 'assistant', content: null, refusal: 'The simulated teacher was told to refuse this one.' }
    : { role: 'assistant', content: text, refusal: null };
  return {
    id: `simulated-${digest.slice(0, 24)}`,
    object: 'chat.completion',
    created: 0,
    model: servedName(request.model),
    choices: [{ index: 0, message, finish_reason: cut && !refuse ? 'length' : 'stop', logprobs: null }],
    usage: { ...usage, total_tokens: usage.prompt_tokens + usage.completion_tokens },
  };
}

function textFor(request: ChatRequest, known: ReadonlyMap<string, Question>): string | null {
  const asked = request.messages.findLast(({ role }) => role === 'user')?.content ?? '';
  const question = questionOf(asked, known);
  if (question === null) return null;
  const { seed, attempt, error_rate_yes: yes, error_rate_no: no } = request.metadata;
  if (request.metadata.task === 'judge') return judgement(request, question, asked);
  const given = givenAnswer(question, { seed, attempt, rates: { yes, no } });
  return teach(question, given, asked.replace(question.question, ''));
}

function judgement({ metadata, response_format }: ChatRequest, question: Question, asked: string): string {
  const { seed, position_bias = 0, length_bias = 0, error_rate = 0 } = metadata;
  const errors = { seed, positionBias: position_bias, lengthBias: length_bias, errorRate: error_rate };
  const verdict = judgeSets(question, asked, errors, response_format?.type === 'json_schema');
  return verdict ?? 'The simulated judge reads the default prompt only: it found no <first> and <second>.';
}
