import OpenAI from 'openai';
import type { TeacherConnection } from './connect.ts';
import type { Pace, Sent } from './pace.ts';
import type { ApiRequest } from './requests.ts';
import { faultOf } from './teacher-failure.ts';
import type { CallFault } from './teacher-failure.ts';
import type { Ending, Window } from './window.ts';

/** How requests get to the server. */
export type Line = {
  connection: TeacherConnection;
  window: Window;
  pace: Pace;
  signal: AbortSignal;
};

/** `order` is the place in the window's order of sending. */
export type Called = { order: number } & ({ completion: OpenAI.ChatCompletion } | { fault: CallFault });

/**
 * One request, once: waits for room and turn, sends, tells window and pace how it went.
 *
 * @throws the signal's reason when cancelled
 */
export async function call(line: Line, request: ApiRequest): Promise<Called> {
  const { window, pace, signal } = line;
  const order = await window.enter(signal);
  let ending: Ending = 'other';
  try {
    const sent = await pace.send(request.usualTokens, signal);
    const called = await send(line, request, sent);
    if ('completion' in called) ending = 'answered';
    else if (called.fault.kind === 'transient' && called.fault.reason === 'rate-limit') {
      ending = 'limited';
      pace.limited(sent, called.fault.retryAfterMs);
    }
    return { order, ...called };
  } finally {
    window.leave(order, ending);
  }
}

async function send(
  { connection, pace, signal }: Line,
  { body }: ApiRequest,
  sent: Sent,
): Promise<{ completion: OpenAI.ChatCompletion } | { fault: CallFault }> {
  // The client's own timeout ends with the headers; a body may hang as well.
  const deadline = new AbortController();
  const giveUp = (): void => {
    deadline.abort();
  };
  const timer = setTimeout(giveUp, connection.timeoutMs);
  signal.addEventListener('abort', giveUp);
  try {
    const { data, response } = await connection.complete(body, { signal: deadline.signal });
    pace.heard(sent, response.headers);
    // A server may say nothing of it, whatever the type says.
    pace.used(sent, (data.usage as typeof data.usage | null)?.total_tokens ?? sent.tokens);
    return { completion: data };
  } catch (error) {
    if (signal.aborted) throw error;
    const headers = error instanceof OpenAI.APIError ? (error.headers as Headers | undefined) : undefined;
    if (headers) pace.heard(sent, headers);
    return { fault: faultOf(error, connection, deadline.signal.aborted) };
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', giveUp);
  }
}
