import { z } from 'zod';
import type { Store } from '../store/store.ts';

/**
 * How far one attempt (epoch) came: `progress/epoch-0002.json` beside the lease. A hint for the ledger of lost steps,
 * written without waiting; nothing is decided by it.
 */
const AttemptProgress = z.object({
  resumed: z.int().describe('Step that the attempt started from.'),
  reached: z.int().describe('Highest step it reported.'),
  gpuSeconds: z.number(),
});
export type AttemptProgress = z.infer<typeof AttemptProgress>;

const WRITE_EVERY_MS = 2_000;
const folder = (prefix: string): string => `${prefix}/progress/`;
const keyOf = (prefix: string, epoch: number): string =>
  `${folder(prefix)}epoch-${String(epoch).padStart(4, '0')}.json`;

/** Writes the progress of the current attempt, at most every 2 s and never two writes at once. */
export function trackAttempt(store: Store, prefix: string, epoch: number, resumed: number) {
  const startedAt = Date.now();
  const current: AttemptProgress = { resumed, reached: resumed, gpuSeconds: 0 };
  let writing: Promise<unknown> = Promise.resolve();
  let busy = false;
  let writtenAt = 0;
  const write = (): void => {
    busy = true;
    writtenAt = Date.now();
    current.gpuSeconds = (writtenAt - startedAt) / 1000;
    // An outage must not disturb training; the numbers of the ledger are then a little low.
    writing = store
      .putJson(keyOf(prefix, epoch), current)
      .catch(() => undefined)
      .finally(() => (busy = false));
  };
  return {
    reached: (step: number): void => {
      current.reached = Math.max(current.reached, step);
      if (!busy && Date.now() - writtenAt >= WRITE_EVERY_MS) write();
    },
    /** Writes the last state; resolves when it is there (or could not be). */
    finish: async (): Promise<void> => {
      await writing;
      write();
      await writing;
    },
  };
}

/** What all attempts together cost. */
export type AttemptTotals = { stepsRedone: number; gpuSeconds: number };

/**
 * @param steps of the finished training
 * @param hint highest step that Temporal heard of the attempt before `epoch`, which may be newer than its object
 */
export async function sumAttempts(
  store: Store,
  prefix: string,
  steps: number,
  hint: { epoch: number; reached: number } | null,
): Promise<AttemptTotals> {
  let taken = 0;
  let gpuSeconds = 0;
  for (const key of await store.objects.list(folder(prefix))) {
    const attempt = AttemptProgress.safeParse((await store.getJson(key))?.value).data;
    if (attempt === undefined) continue;
    const heard = hint !== null && key === keyOf(prefix, hint.epoch) ? hint.reached : 0;
    taken += Math.max(attempt.reached, heard) - attempt.resumed;
    gpuSeconds += attempt.gpuSeconds;
  }
  return { stepsRedone: Math.max(0, taken - steps), gpuSeconds };
}
