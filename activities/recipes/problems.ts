import { ApplicationFailure } from '@temporalio/common';
import type { Problem } from '../../config/problem.ts';
import { failures } from '../../domain/failures.ts';
import type { FailureType } from '../../domain/failures.ts';

/** A finding of a check. */
export const problem = (type: FailureType, field: string, problem: string, fix: string): Problem => ({
  type,
  field,
  problem,
  fix,
});

/**
 * Turns a named failure of a check into a problem, so that all of them can be told together. Our messages end with
 * `; <fix>`; where domain's do not, `otherwise` is the fix.
 *
 * @throws anything that may pass by itself, for Temporal to try again
 */
export function asProblem(field: string, error: unknown, otherwise = 'correct it'): Problem {
  const type = error instanceof ApplicationFailure ? error.type : error instanceof Error ? error.name : undefined;
  if (type === undefined || type === null || failures[type as FailureType] !== 'permanent') throw error;
  const message = error instanceof Error ? error.message : String(error);
  const text = message.startsWith(`${field}: `) ? message.slice(field.length + 2) : message;
  const at = text.lastIndexOf('; ');
  const [what, fix] = at < 0 ? [text, otherwise] : [text.slice(0, at), text.slice(at + 2)];
  return problem(type as FailureType, field, what, fix);
}
