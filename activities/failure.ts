import { ApplicationFailure } from '@temporalio/common';
import { failures } from '../domain/failures.ts';
import type { FailureType } from '../domain/failures.ts';
import { withoutUserinfo } from '../domain/without-userinfo.ts';

/**
 * An ApplicationFailure of a listed type; the list says whether Temporal tries again. A preemption asks to be tried
 * again at once, without the policy's back-off.
 *
 * @param message what is wrong and what to do about it; passwords in URLs are left out of it
 * @param more.details small plain JSON for the workflow and for people
 */
export function failure(
  type: FailureType,
  message: string,
  more: { details?: unknown[]; cause?: unknown } = {},
): ApplicationFailure {
  return ApplicationFailure.create({
    type,
    message: withoutUserinfo(message),
    nonRetryable: failures[type] === 'permanent',
    ...(failures[type] === 'preemption' && { nextRetryDelay: '1 ms' }),
    ...(more.details && { details: more.details }),
    ...(more.cause instanceof Error && showsNoPassword(more.cause) && { cause: more.cause }),
  });
}

/** Temporal keeps message and stack of causes as they are. */
function showsNoPassword(error: Error): boolean {
  const text = `${error.message} ${error.stack ?? ''}`;
  return withoutUserinfo(text) === text && (!(error.cause instanceof Error) || showsNoPassword(error.cause));
}

/** The listed type that an error carries, or undefined for any other error. */
export function failureType(error: unknown): FailureType | undefined {
  if (!(error instanceof ApplicationFailure)) return undefined;
  return Object.keys(failures).find((type): type is FailureType => type === error.type);
}
