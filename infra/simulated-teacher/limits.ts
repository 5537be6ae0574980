import type { ServerResponse } from 'node:http';
import type { ServerSettings } from './settings.ts';

/** Seconds as OpenAI writes them in its headers: `12ms`, `1.5s`, `2m3s`. */
function duration(ms: number): string {
  if (ms < 1000) return `${Math.ceil(ms)}ms`;
  const seconds = Math.ceil(ms / 100) / 10;
  return seconds < 60 ? `${seconds}s` : `${Math.floor(seconds / 60)}m${Math.round(seconds % 60)}s`;
}

/** A bucket that holds one second's worth (at least one) and fills evenly. */
function createBucket(perMinute: number, now: () => number) {
  const perMs = perMinute / 60_000;
  const most = Math.max(1, perMinute / 60);
  let level = most;
  let at = now();
  return {
    /** Fills it to the present; @returns whether `amount` can be taken. One larger than the bucket needs a full one. */
    holds(amount: number): boolean {
      const time = now();
      level = Math.min(most, level + (time - at) * perMs);
      at = time;
      return level >= Math.min(amount, most);
    },
    take(amount: number): void {
      level -= amount;
    },
    /** Until `amount` could be taken. */
    waitMs: (amount: number): number => Math.max(0, (Math.min(amount, most) - level) / perMs),
    headers(response: ServerResponse, name: 'requests' | 'tokens'): void {
      response.setHeader(`x-ratelimit-limit-${name}`, String(perMinute));
      response.setHeader(`x-ratelimit-remaining-${name}`, String(Math.max(0, Math.floor(level))));
      response.setHeader(`x-ratelimit-reset-${name}`, duration((most - level) / perMs));
    },
  };
}

/** The limits of the account: requests and tokens per minute, whoever asks. */
export function createLimits({ requestsPerMinute, tokensPerMinute }: ServerSettings, now = () => performance.now()) {
  const requests = requestsPerMinute === null ? null : createBucket(requestsPerMinute, now);
  const tokens = tokensPerMinute === null ? null : createBucket(tokensPerMinute, now);
  return {
    /**
     * Takes a request of so many tokens, and writes the state of the limits into the response's headers; refused ones
     * get `Retry-After` in both of its forms.
     */
    admit(response: ServerResponse, asked: number): boolean {
      const wanted = [[requests, 1] as const, [tokens, asked] as const];
      // Every bucket is brought up to date, also behind one that refuses.
      const fits = wanted.map(([bucket, amount]) => bucket?.holds(amount) ?? true).every(Boolean);
      if (fits) for (const [bucket, amount] of wanted) bucket?.take(amount);
      requests?.headers(response, 'requests');
      tokens?.headers(response, 'tokens');
      if (!fits) {
        const waitMs = Math.max(...wanted.map(([bucket, amount]) => bucket?.waitMs(amount) ?? 0));
        response.setHeader('retry-after-ms', String(Math.ceil(waitMs)));
        response.setHeader('retry-after', String(Math.ceil(waitMs / 1000)));
      }
      return fits;
    },
  };
}
export type Limits = ReturnType<typeof createLimits>;
