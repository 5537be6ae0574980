import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import OpenAI from 'openai';
import type { ResponseProblem } from '../../domain/records.ts';
import { failure } from '../failure.ts';
import type { TeacherConnection } from './connect.ts';
import { causeWords, neverSent } from './connection-fault.ts';
import { isOutOfCredit } from './out-of-credit.ts';
import { retryAfterMs } from './rate-headers.ts';
import { settingFix } from './setting-fix.ts';

/** What ends a stage, whatever is asked: told apart so that people know what to mend. */
export type Rejection = 'bad-key' | 'unknown-model' | 'no-quota' | 'bad-setting';

/**
 * What an error of a call means: `rejected` ends the activity for good, `row` is the fault of this one request,
 * `transient` may pass by itself and is tried again.
 */
export type CallFault = { message: string } & (
  | { kind: 'rejected'; reason: Rejection }
  | { kind: 'row'; reason: ResponseProblem }
  | {
      kind: 'transient';
      reason: ResponseProblem;
      /** From the server; a 429's holds for everybody. */
      retryAfterMs: number | null;
      /** False when the server says that trying again is in vain for now. */
      again: boolean;
      /** It may have been generated, and so charged, although no whole answer came. */
      perhapsPaid: boolean;
    }
);

/** Problems of an answer that came and is of no use: another one may be. */
const unreadableProblems = ['malformed', 'empty', 'reasoning-only', 'tool-call'] as const;
export type UnreadableProblem = (typeof unreadableProblems)[number];

/** Whether a server answered, if only with what is no answer: it is not away, and asking again costs again. */
export const isUnreadable = (problem: ResponseProblem): problem is UnreadableProblem =>
  unreadableProblems.some((one) => one === problem);

/** The fault of such an answer; what it costs is for whoever reads it to say. */
export const unreadable = (reason: UnreadableProblem, message: string): CallFault => ({
  ...{ kind: 'transient', reason, message: message.slice(0, longestMessage) },
  ...{ retryAfterMs: null, again: true, perhapsPaid: false },
});

const longestMessage = 500;

const rejections: Readonly<Record<string, Rejection>> = {
  invalid_api_key: 'bad-key',
  account_deactivated: 'bad-key',
  model_not_found: 'unknown-model',
  insufficient_quota: 'no-quota',
  billing_hard_limit_reached: 'no-quota',
  unsupported_parameter: 'bad-setting',
  unsupported_value: 'bad-setting',
  unknown_parameter: 'bad-setting',
};
const rejectedStatus: Readonly<Record<number, Rejection>> = { 401: 'bad-key', 403: 'bad-key', 404: 'unknown-model' };

const rejectionWords = (
  reason: Rejection,
  message: string,
  { section, keyName }: Pick<TeacherConnection, 'section' | 'keyName'>,
): string =>
  ({
    'bad-key': `check ${keyName}`,
    'unknown-model': `check ${section}.model${section === 'teacher' ? ' (GPT4_MODEL)' : ''}`,
    'no-quota': 'check the quota and billing of the account',
    'bad-setting': settingFix(section, message),
  })[reason];

/** Servers other than OpenAI say it in words only. */
const tooLong = /context.?length|maximum context|context window|too many tokens|prompt is too long/i;
const moderated = /\b(?:flagged|moderation)\b/i;
const filtered = /content.?(filter|policy|management)/i;

function rowProblem(code: string, message: string): ResponseProblem {
  if (code === 'context_length_exceeded' || tooLong.test(message)) return 'context-too-long';
  if (filtered.test(code) || filtered.test(message)) return 'content-filter';
  return 'bad-request';
}

/**
 * Sorts an error of the client. The message is without the key.
 *
 * @param timedOut the call was given up here
 */
export function faultOf(
  error: unknown,
  { redact, section }: Pick<TeacherConnection, 'redact' | 'section'>,
  timedOut = false,
): CallFault {
  const message = redact(error instanceof Error ? error.message : String(error)).slice(0, longestMessage);
  const passing = { kind: 'transient', retryAfterMs: null, again: true, perhapsPaid: true } as const;
  if (timedOut || error instanceof OpenAI.APIConnectionTimeoutError) {
    return { ...passing, reason: 'timeout', message: `no whole answer within ${section}.timeoutSeconds` };
  }
  if (error instanceof SyntaxError) return { ...passing, reason: 'malformed', message: `not JSON: ${message}` };
  const perhapsPaid = !neverSent(error);
  if (!(error instanceof OpenAI.APIError)) {
    const words = perhapsPaid ? `the answer broke off: ${message}` : message;
    return { ...passing, perhapsPaid, reason: 'connection', message: words };
  }
  const { status, code, headers } = error as {
    status: number | undefined;
    code: string | null | undefined;
    headers: Headers | undefined;
  };
  if (status === undefined) {
    const cause = redact(causeWords(error));
    const words = cause === '' || message.includes(cause) ? message : `${message} (${cause})`;
    return { ...passing, perhapsPaid, reason: 'connection', message: words.slice(0, longestMessage) };
  }
  const named = typeof code === 'string' ? code : (error.type ?? '');
  return faultOfStatus(status, named, message, headers);
}

/** The fault of an account that can pay for no more; null where a refusal does not say so. */
export function outOfCredit(status: number, code: string, message: string, headers?: Headers): CallFault | null {
  const waits = headers !== undefined && retryAfterMs(headers) !== null;
  return isOutOfCredit({ status, code, message, waits }) ? { kind: 'rejected', reason: 'no-quota', message } : null;
}

/** Sorts what a server answers instead of a completion, by HTTP status and code. */
export function faultOfStatus(status: number, code: string, message: string, headers?: Headers): CallFault {
  const empty = outOfCredit(status, code, message, headers);
  if (empty !== null) return empty;
  // Moderation of some servers refuses the text with the status of a wrong key.
  if (status === 403 && moderated.test(message)) return { kind: 'row', reason: 'content-filter', message };
  const rejection = rejections[code] ?? rejectedStatus[status];
  if (rejection !== undefined) return { kind: 'rejected', reason: rejection, message };
  if (status !== 408 && status !== 409 && status !== 429 && status < 500) {
    return { kind: 'row', reason: rowProblem(code, message), message };
  }
  return {
    kind: 'transient',
    reason: status === 429 ? 'rate-limit' : 'server-error',
    message,
    retryAfterMs: headers ? retryAfterMs(headers) : null,
    again: headers?.get('x-should-retry') !== 'false',
    perhapsPaid: false,
  };
}

/** A fault that ends the activity. Neither cause nor stack of the client is kept: they may quote the request. */
export function teacherFailure(
  fault: CallFault,
  connection: Pick<TeacherConnection, 'host' | 'section' | 'keyName'>,
): ApplicationFailure {
  const { host } = connection;
  const words = fault.message.replace(/\.$/, '');
  if (fault.kind === 'rejected') {
    const message = `${host} refused (${fault.reason}): ${words}. Fix: ${rejectionWords(fault.reason, fault.message, connection)}`;
    return failure('TeacherRejected', message, { details: [{ reason: fault.reason }] });
  }
  return failure(
    fault.kind === 'transient' ? 'TeacherUnavailable' : 'TeacherRejected',
    `${host} did not answer (${fault.reason}): ${words}. What was answered is kept; the rest is asked again`,
  );
}

/**
 * Work with the teacher's server that is no completion: its errors come out as failures with a name.
 *
 * @param work gets the signal that aborts when the activity is cancelled
 * @throws TeacherRejected, TeacherUnavailable; the cancellation
 */
export async function orFailure<Result>(
  connection: TeacherConnection,
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  try {
    return await work(Context.current().cancellationSignal);
  } catch (error) {
    throw await endOf(error, connection);
  }
}

/** What an error of the client ends an activity with; a failure that has a name passes through. @throws the cancellation */
export async function endOf(error: unknown, connection: TeacherConnection): Promise<Error> {
  const context = Context.current();
  if (context.cancellationSignal.aborted) await context.cancelled;
  return error instanceof ApplicationFailure ? error : teacherFailure(faultOf(error, connection), connection);
}
