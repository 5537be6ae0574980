import { ApplicationFailure, TemporalFailure } from '@temporalio/common';
import { failures } from '../domain/failures.ts';

/**
 * What a person can act on in a chain of Temporal failures: the message of the first one of a listed type, which names
 * the fix, else the innermost.
 */
export function rootMessage(error: unknown): string {
  let at = error;
  while (at instanceof TemporalFailure && at.cause !== undefined && !isListed(at)) at = at.cause;
  return at instanceof Error ? at.message : String(at);
}

const isListed = (error: TemporalFailure): boolean =>
  error instanceof ApplicationFailure && error.type != null && Object.hasOwn(failures, error.type);
