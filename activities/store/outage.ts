import pRetry from 'p-retry';
import { failureType } from '../failure.ts';

/** The S3 client itself has tried for about a minute before a failure comes here. */
const LONGEST_PAUSE_MS = 5_000;

export type OutageOptions = {
  /** Of an outage, until its failure comes out. */
  minutes: number;
  /** Aborted: what failed is not tried again; what is on its way is let finish. */
  stop?: AbortSignal;
  /** What is being done, for the log. */
  doing: string;
  warn: (message: string, more: { reason: string }) => void;
};

/** What passes, by itself or when somebody does what the failure says. */
const passing = new Set(['StorageUnavailable', 'BucketMissing', 'CredentialsRefused']);

/** True for failures that {@link throughOutage} waits out. */
export const isOutage = (error: unknown): boolean => passing.has(failureType(error) ?? '');

/**
 * Repeats work for as long as S3 does not take it: for what would be lost or paid again otherwise. Any other failure comes
 * out at once.
 *
 * @param work must bear being repeated after a part of it was done
 * @throws StorageUnavailable, BucketMissing, CredentialsRefused when that has lasted too long
 */
export function throughOutage<Result>(
  work: () => Promise<Result>,
  { minutes, stop, doing, warn }: OutageOptions,
): Promise<Result> {
  return pRetry(work, {
    retries: Infinity,
    maxRetryTime: minutes * 60_000,
    maxTimeout: LONGEST_PAUSE_MS,
    shouldRetry: ({ error }) => {
      if (!isOutage(error) || stop?.aborted === true) return false;
      warn(`${doing} waits for S3`, { reason: error.message });
      return true;
    },
  });
}
