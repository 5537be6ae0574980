import OpenAI from 'openai';
import { costUsd } from '../../domain/prices.ts';
import type { TeacherConnection } from './connect.ts';
import type { Pace, Sent } from './pace.ts';
import { readCompletion, tokensUsed } from './read-completion.ts';
import type { ReadCompletion, Terms } from './read-completion.ts';
import type { ApiRequest } from './requests.ts';
import { faultOf, isUnreadable } from './teacher-failure.ts';
import type { Ending, Window } from './window.ts';

/** How requests get to the server. */
export type Line = {
  connection: TeacherConnection;
  window: Window;
  pace: Pace;
  signal: AbortSignal;
};

/** `order` is the place in the window's order of sending. */
export type Called = { order: number } & ReadCompletion;

/**
 * One request, once: waits for room and turn, sends, tells window and pace how it went.
 *
 * @throws the signal's reason when cancelled
 */
export async function call(line: Line, request: ApiRequest, terms: Terms): Promise<Called> {
  const { window, pace, signal } = line;
  const order = await window.enter(signal);
  let ending: Ending = 'other';
  try {
    const sent = await pace.send(request.usualTokens, signal);
    const called = await send(line, request, sent, terms);
    if (called.kind === 'completion') ending = 'answered';
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
  terms: Terms,
): Promise<ReadCompletion> {
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
    pace.used(sent, tokensUsed(data) ?? sent.tokens);
    const read = readCompletion(data, terms, response.headers);
    if (read.kind === 'completion') return read;
    return { ...read, fault: { ...read.fault, message: connection.redact(read.fault.message) } };
  } catch (error) {
    if (signal.aborted) throw error;
    const headers = error instanceof OpenAI.APIError ? (error.headers as Headers | undefined) : undefined;
    if (headers) pace.heard(sent, headers);
    const fault = faultOf(error, connection, deadline.signal.aborted);
    // Of what may have been generated, the most that it can cost counts: the cap holds whatever the bill says.
    const perhapsPaid = fault.kind === 'transient' && fault.perhapsPaid;
    const came = fault.kind === 'transient' && isUnreadable(fault.reason);
    return { kind: 'fault', fault, paidUsd: perhapsPaid ? costUsd(terms.most, terms.price) : 0, came };
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', giveUp);
  }
}
