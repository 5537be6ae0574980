import { ApplicationFailure, CancelledFailure, TemporalFailure } from '@temporalio/common';
import { CompleteAsyncError } from '@temporalio/activity';
import type { ActivityInterceptorsFactory } from '@temporalio/worker';
import { failures } from '../domain/failures.ts';
import type { FailureType } from '../domain/failures.ts';
import { failure, failureType } from './failure.ts';
import { diskFull, isDiskFull } from './store/storage-failure.ts';

/** Longest message and stack that are kept, in characters: a failure lies in the history of the run. */
const mostMessage = 2_000;
const mostStack = 8_000;
/** Chains of causes are followed so far, since they may be a circle. */
const mostCauses = 10;

/** What to do about an error of the system, by its code; `%` stands for the path or address that it names. */
const fixes: Readonly<Record<string, string>> = {
  EACCES: 'let the user of the worker read and write %',
  EPERM: 'let the user of the worker read and write %',
  EROFS: 'mount % so that it can be written, or set RATCHET_HOME to another folder',
  EIO: 'look at the disk under %, or set RATCHET_HOME to a folder on another one',
  EMFILE: 'raise the limit of open files of the worker (ulimit -n)',
  ENFILE: 'raise the limit of open files of the host (fs.file-max)',
  ENOMEM: 'free memory on the host of the worker',
  ERR_MEMORY_ALLOCATION_FAILED: 'free memory on the host of the worker',
};
const usualFix = 'read the log of the worker, mend the host or update ratchet, then go on with `ratchet resume`';

/**
 * Gives every error that leaves an activity a type of the list (domain/failures.ts), so that nothing is tried again
 * without a bound: what has none is `Unexpected`. Cancellation, asynchronous completion and listed types pass untouched.
 */
export const unexpectedErrors: ActivityInterceptorsFactory = ({ info, cancellationSignal }) => ({
  inbound: {
    async execute(input, next) {
      try {
        return await next(input);
      } catch (error) {
        throw listedFailure(error, info.activityType, cancellationSignal.aborted);
      }
    },
  },
});

/**
 * @param where name of the activity
 * @param cancelled whether its cancellation was asked for; only then an abort is its answer
 * @returns the error itself where it has a meaning of its own, else DiskFull or Unexpected
 */
export function listedFailure(error: unknown, where: string, cancelled: boolean): unknown {
  if (error instanceof CompleteAsyncError || failureType(error) !== undefined) return error;
  if (cancelled && (error instanceof CancelledFailure || nameOf(error) === 'AbortError')) return error;
  const named = namedType(error);
  if (named !== undefined) return failure(named, messageOf(error), { cause: copyOf(error) });
  const full = chainOf(error).find(isDiskFull);
  if (full !== undefined) return diskFull(where, copyOf(full));
  const what = `${nameOf(error)}: ${messageOf(error)}`;
  const message = `${what} (in ${where}). This is a fault of ratchet or of its host, not of the recipe. Fix: ${fixFor(error)}`;
  const details = [{ name: nameOf(error), message: messageOf(error), activity: where }];
  return failure('Unexpected', message, { details, cause: copyOf(error) });
}

/** The name that domain/invalid.ts gives. Temporal itself takes the type from the class, and would call it `Error`. */
function namedType(error: unknown): FailureType | undefined {
  if (!(error instanceof Error) || error instanceof TemporalFailure) return undefined;
  return Object.keys(failures).find((type): type is FailureType => type === error.name);
}

/** The error, what caused it and what it sums up, nearest first. */
function chainOf(error: unknown): unknown[] {
  const chain: unknown[] = [error];
  for (let index = 0; index < chain.length && chain.length < mostCauses; index += 1) {
    const cause = field(chain[index], 'cause');
    const parts: unknown = field(chain[index], 'errors');
    if (cause !== undefined) chain.push(cause);
    if (Array.isArray(parts)) chain.push(...(parts as unknown[]).slice(0, mostCauses));
  }
  return chain;
}

function fixFor(error: unknown): string {
  const known = chainOf(error).find((each) => Object.hasOwn(fixes, textOf(each, 'code')));
  if (known === undefined) return usualFix;
  const named = textOf(known, 'path') || textOf(known, 'address') || 'the folders that it uses (RATCHET_HOME)';
  return `${(fixes[textOf(known, 'code')] ?? usualFix).replace('%', () => named)}; then go on with \`ratchet resume\``;
}

/** An ApplicationFailure of a type that is not listed is called by its type, anything else by its name. */
const nameOf = (error: unknown): string =>
  (error instanceof ApplicationFailure ? textOf(error, 'type') : textOf(error, 'name')).slice(0, 100) || 'Error';

function messageOf(error: unknown): string {
  const text = typeof error === 'object' && error !== null ? textOf(error, 'message') : printed(error);
  return text.length > mostMessage ? `${text.slice(0, mostMessage)}…` : text || 'without a message';
}

const printed = (value: unknown): string => (typeof value === 'string' ? value : String(value));

/** Without what hangs on the error: that may be large, or a circle. */
function copyOf(error: unknown): Error {
  const copy = new Error(messageOf(error));
  copy.name = nameOf(error);
  copy.stack = textOf(error, 'stack').slice(0, mostStack);
  return copy;
}

const textOf = (value: unknown, name: string): string => {
  const text = field(value, name);
  return typeof text === 'string' ? text : '';
};

/** A field of whatever was thrown, whose getters may throw themselves. */
function field(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined;
  try {
    return (value as Record<string, unknown>)[name];
  } catch {
    return undefined;
  }
}
