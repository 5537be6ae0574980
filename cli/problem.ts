import { exitCodes } from './exit-codes.ts';
import type { ExitCode } from './exit-codes.ts';

/** A problem that a person can do something about: shown as one message and its fix, without a stack trace. */
export type CommandProblem = Error & { exitCode: ExitCode; fix: string };

/**
 * @param message what is wrong
 * @param fix what to do about it; may be empty
 */
export function commandProblem(exitCode: ExitCode, message: string, fix: string): CommandProblem {
  return Object.assign(new Error(message), { name: 'CommandProblem', exitCode, fix });
}

export const badInput = (message: string, fix = ''): CommandProblem => commandProblem(exitCodes.badInput, message, fix);

/** Any error as a problem: what config, the stack and the store refuse with keeps its own words and fix. */
export function asProblem(error: unknown): CommandProblem {
  if (!(error instanceof Error)) return commandProblem(exitCodes.unexpected, String(error), '');
  if (isProblem(error)) return error;
  const fix = 'fix' in error && typeof error.fix === 'string' ? error.fix : '';
  if (error.name === 'StackProblem') return commandProblem(exitCodes.unreachable, error.message, fix);
  if (error.name === 'InvalidRecipe' || error.name === 'InvalidData') return badInput(error.message, fix);
  const type = 'type' in error && typeof error.type === 'string' ? error.type : '';
  if (storageTypes.has(type)) return commandProblem(exitCodes.unreachable, error.message, fix);
  // What lies in the bucket is an input, and the message says what to do about it.
  if (type === 'ArtefactDamaged') return badInput(error.message);
  return commandProblem(
    exitCodes.unexpected,
    error.stack ?? error.message,
    'This is a fault of ratchet: please report it.',
  );
}

const storageTypes = new Set(['StorageUnavailable', 'StorageUnsuitable', 'BucketMissing', 'CredentialsRefused']);
const isProblem = (error: Error): error is CommandProblem => error.name === 'CommandProblem' && 'exitCode' in error;
