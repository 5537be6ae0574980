import { costUsd } from '../../domain/prices.ts';
import type { TokenPrice } from '../../domain/prices.ts';
import { errorIn, isObject } from './error-body.ts';
import type { BodyError } from './error-body.ts';
import { readMessage } from './message-parts.ts';
import type { Said } from './message-parts.ts';
import type { StoredResponse } from './response-store.ts';
import { faultOfStatus, outOfCredit, unreadable } from './teacher-failure.ts';
import type { CallFault, UnreadableProblem } from './teacher-failure.ts';

/** What a call may cost: prices, and the tokens that are reserved for it. */
export type Terms = { price: TokenPrice; most: { input: number; output: number } };

/**
 * An answer, or why there is none. `paidUsd` is what it costs all the same; `came` = something was generated, or may have
 * been, that is of no use: how often that is paid for is bounded (unreadable.ts).
 */
export type ReadCompletion =
  | { kind: 'completion'; response: Omit<StoredResponse, 'paidBy'> }
  | { kind: 'fault'; fault: CallFault; paidUsd: number; came: boolean };

type Usage = { input: number; cachedInput?: number; output: number };

const tokens = (...values: unknown[]): number | undefined =>
  values.find((value): value is number => typeof value === 'number' && value >= 0 && Number.isFinite(value));

/** Usage as OpenAI says it, or Anthropic; null where the server says nothing of it that is a number. */
function usageIn(body: Record<string, unknown>, most: Terms['most']): Usage | null {
  const { usage } = body;
  if (!isObject(usage)) return null;
  const input = tokens(usage['prompt_tokens'], usage['input_tokens']);
  const output = tokens(usage['completion_tokens'], usage['output_tokens']);
  if (input === undefined && output === undefined) return null;
  const details = usage['prompt_tokens_details'];
  const cached = isObject(details) ? tokens(details['cached_tokens']) : undefined;
  const told = { input: input ?? most.input, output: output ?? most.output };
  return cached === undefined ? told : { ...told, cachedInput: Math.min(cached, told.input) };
}

/** What a response took of a limit per minute; undefined where it does not say. */
export function tokensUsed(body: unknown): number | undefined {
  if (!isObject(body) || !isObject(body['usage'])) return undefined;
  return tokens(body['usage']['total_tokens']);
}

const cutOff: readonly string[] = ['length', 'max_tokens', 'model_length', 'max_output_tokens'];
const filtered: readonly string[] = [
  'content_filter',
  'safety',
  'recitation',
  'prohibited_content',
  'blocklist',
  'sensitive',
];
const brokenOff: readonly string[] = ['error', 'abort', 'aborted', 'cancelled', 'network_error', 'other_error'];

/** How a generation ended, in OpenAI's words. */
function finishOf(value: unknown): string {
  const finish = typeof value === 'string' ? value.toLowerCase() : 'stop';
  if (cutOff.includes(finish)) return 'length';
  return filtered.includes(finish) ? 'content_filter' : finish;
}

/** What the body is, when a server says something else than it is JSON, or sends a list of one. */
function bodyOf(raw: unknown): unknown {
  if (typeof raw === 'string') {
    try {
      return bodyOf(JSON.parse(raw) as unknown);
    } catch {
      return raw;
    }
  }
  return Array.isArray(raw) && raw.length === 1 ? raw[0] : raw;
}

const choiceIn = (body: Record<string, unknown>): Record<string, unknown> | null => {
  const { choices } = body;
  const first: unknown = Array.isArray(choices) ? choices[0] : undefined;
  return isObject(first) ? first : null;
};

/**
 * Reads what a server sent with status 200. A server that says nothing of usage is charged at most: the reserved tokens.
 *
 * @param headers of the response: a limit may say how long it holds
 */
export function readCompletion(raw: unknown, { price, most }: Terms, headers?: Headers): ReadCompletion {
  const body = bodyOf(raw);
  if (!isObject(body)) return noObject(body, costUsd(most, price));
  const usage = usageIn(body, most);
  const choice = choiceIn(body);
  const said = readMessage(choice?.['message']);
  const finish = finishOf(choice?.['finish_reason']);
  const broken = choice === null ? null : errorIn({ error: choice['error'] });
  const usable = said !== null && broken === null && !brokenOff.includes(finish) && (isAnswer(said) || endsSo(finish));
  if (usable) {
    const { text, refusal, reasoning } = said;
    const { input, cachedInput, output }: Usage = usage ?? most;
    const { model, id } = body;
    return {
      kind: 'completion',
      response: {
        model: typeof model === 'string' ? model : '',
        text,
        refusal: refusal ?? (finish === 'content_filter' ? 'content filter' : null),
        finish,
        ...(reasoning !== null && { reasoning }),
        ...(typeof id === 'string' && id !== '' && { completionId: id.slice(0, 200) }),
        inputTokens: input,
        ...(cachedInput !== undefined && { cachedInputTokens: cachedInput }),
        outputTokens: output,
        costUsd: costUsd({ input, cachedInput, output }, price),
      },
    };
  }
  const error = broken ?? errorIn(body);
  const billed = usage !== null && usage.input + usage.output > 0;
  const usageUsd = usage === null ? 0 : costUsd(usage, price);
  if (error !== null) return { kind: 'fault', fault: faultOfBody(error, headers), paidUsd: usageUsd, came: billed };
  const fault = unreadable(...whyNone(choice, said, finish));
  return { kind: 'fault', fault, paidUsd: usage === null ? costUsd(most, price) : usageUsd, came: true };
}

const isAnswer = ({ text, refusal }: Said): boolean => text.trim() !== '' || refusal !== null;
/** Ends that leave nothing to ask again for: asked again, it would end so again. */
const endsSo = (finish: string): boolean => finish === 'length' || finish === 'content_filter';

/** A page of something on the way was generated by nobody; what is empty or no object may have been. */
function noObject(body: unknown, mostUsd: number): ReadCompletion {
  const isText = typeof body === 'string' && body.trim() !== '';
  const isNothing = body === null || body === undefined || body === '';
  const what = isText ? `text “${body.trim().slice(0, 200)}”` : isNothing ? 'nothing' : 'no object';
  const fault = unreadable('malformed', `not a chat completion: ${what}`);
  return { kind: 'fault', fault, paidUsd: isText ? 0 : mostUsd, came: true };
}

/** An error in place of an answer: its code counts as the status, its words are kept. */
function faultOfBody({ status, code, message }: BodyError, headers?: Headers): CallFault {
  if (status !== null)
    return faultOfStatus(status, code, message.startsWith(String(status)) ? message : `${status} ${message}`, headers);
  return (
    outOfCredit(200, code, message, headers) ?? unreadable('malformed', `an error in place of an answer: ${message}`)
  );
}

/** Why a choice without an error has no answer. */
function whyNone(
  choice: Record<string, unknown> | null,
  said: Said | null,
  finish: string,
): [UnreadableProblem, string] {
  if (choice === null) return ['malformed', 'not a chat completion: it has no choices'];
  if (said === null) return ['malformed', 'not a chat completion: its choice has no message'];
  if (brokenOff.includes(finish)) return ['malformed', `the answer broke off (finish_reason: ${finish})`];
  if (said.toolCalls) return ['tool-call', 'the answer calls a tool and says nothing'];
  if (said.reasoning !== null) return ['reasoning-only', 'the answer is reasoning and nothing after it'];
  return ['empty', `the answer is empty (finish_reason: ${finish})`];
}
