import type { Bucket, Share } from './bucket.ts';
import type { Sent } from './pace.ts';
import { toldLimit } from './rate-headers.ts';

/** So much of the limit is left unused, once: it is a reserve, and costs no throughput. */
const marginMs = 50;

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

    /** Whether anything was told, and whether it was before this request was sent. */
    state: (order: number): 'silent' | 'told-since' | 'told-before' =>
      newest === 0 ? 'silent' : order <= firstAt ? 'told-since' : 'told-before',

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
        // A request that was on its way for longer than others was counted later than it was sent.
        const margin = Math.min(limit.perMs * marginMs, most / 4);
        const level = Math.min(most, limit.remaining + limit.perMs * (nowMs - sent.atMs) - since - margin);
        told[name] = { perMs: limit.perMs, most, level, atMs: nowMs };
      }
    },
  };
}
