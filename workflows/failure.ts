import { TemporalFailure } from '@temporalio/common';

/** The innermost message of a chain of Temporal failures: what a person can act on. */
export function rootMessage(error: unknown): string {
  let innermost = error;
  while (innermost instanceof TemporalFailure && innermost.cause !== undefined) innermost = innermost.cause;
  return innermost instanceof Error ? innermost.message : String(innermost);
}
