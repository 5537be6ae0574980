import type { FailureType } from './failures.ts';

/**
 * An error whose `name` is a failure type: the worker turns `name` into the `type` of the ApplicationFailure
 * (activities/unexpected.ts), so domain code can refuse input without knowing Temporal.
 *
 * @param message says what is wrong, where, and what would be right
 */
export function invalid(type: FailureType, message: string): Error {
  const error = new Error(message);
  error.name = type;
  return error;
}
