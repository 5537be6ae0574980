import { setTimeout as delay } from 'node:timers/promises';
import { failureType } from '../activities/failure.ts';
import type { Log } from '../activities/logging.ts';
import type { Store } from '../activities/store/store.ts';

/** So long a start waits for the verdict; after that the worker polls, and the check goes on beside it. */
const START_WAITS_MS = 3_000;
const AGAIN_AFTER_MS = 10_000;

/**
 * Looks whether the S3 server does what ratchet rests on. One that cannot be asked now is asked again later: a worker may start
 * while S3 is away, or before its bucket is made.
 *
 * @throws StorageUnsuitable
 */
async function findOut(store: Store, log: Log, notice: AbortSignal, againAfterMs: number): Promise<void> {
  let told = '';
  while (!notice.aborted) {
    try {
      await store.objects.checkServer('doctor/check');
      return;
    } catch (error) {
      if (failureType(error) === 'StorageUnsuitable') throw error;
      const reason = error instanceof Error ? error.message : String(error);
      if (reason !== told) log.warn('the S3 server could not be checked yet', { reason });
      told = reason;
    }
    await delay(againAfterMs, undefined, { signal: notice }).catch(() => undefined);
  }
}

/**
 * Begins {@link findOut} beside the start of a worker.
 *
 * @returns `known` resolves when a start need wait no longer, and rejects for a server that cannot be used; `unfit` is aborted
 *   with the failure when that is found out later
 */
export function checkStorage(
  store: Store,
  log: Log,
  notice: AbortSignal,
  againAfterMs = AGAIN_AFTER_MS,
): { known: Promise<void>; unfit: AbortSignal } {
  const unfit = new AbortController();
  const found = findOut(store, log, notice, againAfterMs);
  found.catch((error: unknown) => {
    unfit.abort(error);
  });
  const known = Promise.race([found, delay(START_WAITS_MS, undefined, { ref: false })]);
  known.catch(() => undefined);
  return { known, unfit: unfit.signal };
}
