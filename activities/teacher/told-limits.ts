import type { Bucket, Share } from './bucket.ts';
import type { Sent } from './pace.ts';
import { toldLimit } from './rate-headers.ts';

/** What has been sent so far. */
type SoFar = { order: number; tokens: number };

/** The provider's own limits, as its headers tell them: kept up to date between responses by counting along. */
export function createToldLimits() {
  const told: { requests: Bucket | null; tokens: Bucket | null } = { requests: null, tokens: null };
  let newest = 0;
  let firstAt = Infinity;
  return {
    shares: (tokens: number): Share[] => [
      ...(told.requests ? [[told.requests, 1] satisfies Share] : []),
      ...(told.tokens ? [[told.tokens, tokens] satisfies Share] : []),
    ],

    /** Whether a request was sent before anything was told. */
    unwarned: (order: number): boolean => newest > 0 && order <= firstAt,

    hear(sent: Sent, headers: Headers, soFar: SoFar, nowMs: number): void {
      if (sent.order <= newest) return;
      for (const name of ['requests', 'tokens'] as const) {
        const limit = toldLimit(headers, name);
        if (limit === null) continue;
        newest = sent.order;
        firstAt = Math.min(firstAt, soFar.order);
        // The provider counted when the request came; what was sent since is not in its figure.
        const since = name === 'requests' ? soFar.order - sent.order : soFar.tokens - sent.tokensSoFar;
        const most = Math.max(limit.remaining + (name === 'requests' ? 1 : sent.tokens), told[name]?.most ?? 0);
        const level = Math.min(most, limit.remaining + limit.perMs * (nowMs - sent.atMs) - since);
        told[name] = { perMs: limit.perMs, most, level, atMs: nowMs };
      }
    },
  };
}
