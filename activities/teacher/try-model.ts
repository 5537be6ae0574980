import type OpenAI from 'openai';
import { costUsd } from '../../domain/prices.ts';
import type { TokenPrice } from '../../domain/prices.ts';
import type { TeacherConnection } from './connect.ts';
import { apiRequest } from './requests.ts';
import type { RequestSettings } from './requests.ts';
import { faultOf } from './teacher-failure.ts';
import type { CallFault } from './teacher-failure.ts';

/** Most tokens that come out of it; some servers take no smaller limit. */
export const triedTokens = 16;

/** What the cheapest real call came to; `fault` null = key and model are taken. */
export type Tried = { fault: CallFault | null; costUsd: number };

const prompt = { system: 'You are asked whether you answer.', user: 'Say OK.' };

/** The most that {@link tryModel} can cost. */
export const mostTriedUsd = (settings: RequestSettings, price: TokenPrice): number =>
  costUsd({ input: requestOf(settings).mostInputTokens, output: triedTokens }, price);

/** A model that thinks first may not come to an answer in so few tokens. It is there all the same. */
const tooFewTokens = /output limit was reached|could not finish the message/i;

/**
 * Asks a model for a few tokens, with the settings that its real requests will have: for servers whose lists do not say
 * whether key and model are taken. What it teaches about the server is kept for the requests of this process.
 */
export async function tryModel(
  connection: TeacherConnection,
  settings: RequestSettings,
  price: TokenPrice,
): Promise<Tried> {
  const { body, mostInputTokens } = requestOf(settings, connection);
  const signal = AbortSignal.timeout(connection.timeoutMs);
  try {
    const { data } = await connection.complete(body, { signal });
    const { choices, usage } = data as { choices?: unknown; usage?: OpenAI.CompletionUsage | null };
    if (!Array.isArray(choices)) return { fault: noCompletion(data, connection), costUsd: 0 };
    const tokens = {
      input: usage?.prompt_tokens ?? mostInputTokens,
      output: usage?.completion_tokens ?? triedTokens,
    };
    return { fault: null, costUsd: costUsd(tokens, price) };
  } catch (error) {
    const fault = faultOf(error, connection, signal.aborted);
    return { fault: tooFewTokens.test(fault.message) ? null : fault, costUsd: 0 };
  }
}

const anywhere = { server: '', official: false };

const requestOf = (settings: RequestSettings, { server, official }: typeof anywhere = anywhere) =>
  apiRequest({ ...settings, maxTokens: triedTokens }, prompt, {}, 0, { server, official, simulated: false });

/** Status 200, and no completion: a web page, an error in the body. */
function noCompletion(data: unknown, connection: TeacherConnection): CallFault {
  const said = typeof data === 'string' ? data : (JSON.stringify(data) as string | undefined);
  const message = `what came is no chat completion: ${connection.redact(said ?? 'nothing').slice(0, 200)}`;
  return { kind: 'row', reason: 'malformed', message };
}
