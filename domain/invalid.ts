import type { FailureType } from './failures.ts';

/**
 * An error whose `name` is a failure type: Temporal turns `name` into the `type` of the ApplicationFailure, so domain
 * code can refuse input without knowing Temporal.
 *
 * @param message says what is wrong, where, and what would be right
 */
export function invalid(type: FailureType, message: string): Error {
  const error = new Error(message);
  error.name = type;
  return error;
}
