import OpenAI from 'openai';
import type { ApplicationFailure } from '@temporalio/common';
import { failure } from '../failure.ts';
import type { TeacherConnection } from './connect.ts';

/**
 * What an error of a call means: `rejected` ends the activity for good (key, model, quota), `transient` may pass by
 * itself, `row` is the fault of this one request.
 */
export type CallFault = { kind: 'rejected' | 'transient' | 'row'; message: string };

const accountCodes = new Set(['insufficient_quota', 'billing_hard_limit_reached', 'account_deactivated']);
const settingCodes = new Set(['model_not_found', 'unsupported_parameter', 'unsupported_value', 'unknown_parameter']);

/** Sorts an error of the client; retries are over when it comes here. The message is without the key. */
export function faultOf(error: unknown, { redact }: Pick<TeacherConnection, 'redact'>): CallFault {
  const message = redact(error instanceof Error ? error.message : String(error)).slice(0, 500);
  if (!(error instanceof OpenAI.APIError)) return { kind: 'transient', message: `the answer broke off: ${message}` };
  const { status, code } = error as { status: number | undefined; code: string | null | undefined };
  if (status === undefined) return { kind: 'transient', message };
  if (code && (accountCodes.has(code) || settingCodes.has(code))) return { kind: 'rejected', message };
  if (status === 401 || status === 403 || status === 404) return { kind: 'rejected', message };
  return { kind: status === 408 || status === 409 || status === 429 || status >= 500 ? 'transient' : 'row', message };
}

/** A fault that ends the activity. Neither cause nor stack of the client is kept: they may quote the request. */
export function teacherFailure(fault: CallFault, { host }: Pick<TeacherConnection, 'host'>): ApplicationFailure {
  if (fault.kind === 'transient') {
    return failure(
      'TeacherUnavailable',
      `${host} did not answer: ${fault.message}. What was answered is kept; the rest is asked again`,
    );
  }
  return failure(
    'TeacherRejected',
    `${host} refused: ${fault.message}. Fix: check OPENAI_API_KEY, its quota, and teacher.model (GPT4_MODEL)`,
  );
}
