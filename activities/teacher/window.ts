/** How a request ended, as far as the window cares: only `limited` (429) shrinks it, a server's own errors do not. */
export type Ending = 'answered' | 'limited' | 'other';

/** Requests in flight at once: as many as the provider bears, found by trying. */
export type Window = {
  /** Waits for room. @returns the request's place in the order of sending @throws the signal's reason */
  enter(signal: AbortSignal): Promise<number>;
  leave(order: number, ending: Ending): void;
  readonly size: number;
};

/** A window starts no larger than this; until the first 429 it doubles with each round. */
const startSize = 64;
/** What a 429 leaves of it. The pace is corrected at the same time, so the cut can be mild. */
const keptShare = 0.8;

/**
 * Additive up (one more per window of answers), multiplicative down, once per round: 429s of requests that were sent
 * before the last cut say nothing new.
 *
 * @param most in flight, whatever the provider bears
 */
export function createWindow(most: number): Window {
  let size = Math.min(most, startSize);
  let searching = true;
  let inFlight = 0;
  let order = 0;
  let cutAt = 0;
  const waiting: (() => void)[] = [];
  const admit = (): void => {
    while (waiting.length > 0 && inFlight < Math.floor(size)) {
      inFlight += 1;
      waiting.shift()?.();
    }
  };
  return {
    async enter(signal) {
      await new Promise<void>((resolve) => {
        waiting.push(resolve);
        admit();
      });
      order += 1;
      if (!signal.aborted) return order;
      inFlight -= 1;
      admit();
      throw signal.reason;
    },
    leave(sent, ending) {
      inFlight -= 1;
      if (ending === 'answered') size = Math.min(most, size + (searching ? 1 : 1 / size));
      if (ending === 'limited' && sent > cutAt) {
        searching = false;
        size = Math.max(1, size * keptShare);
        cutAt = order;
      }
      admit();
    },
    get size() {
      return Math.floor(size);
    },
  };
}
