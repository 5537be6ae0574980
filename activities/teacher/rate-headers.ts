/** What a provider says of one of its limits; `perMs` is how fast it fills. */
export type ToldLimit = { perMs: number; remaining: number };

const unitMs: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** No limit is counted over longer: what says more is a time of day, or wrong. */
const longestResetMs = 25 * 3_600_000;

/** `12ms`, `1.5s`, `6m0s` or plain seconds as milliseconds; null for anything else. */
export function durationMs(text: string): number | null {
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text) * 1000;
  if (!/^(\d+(\.\d+)?(ms|s|m|h|d))+$/.test(text)) return null;
  return [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)].reduce(
    (sum, [, amount, unit]) => sum + Number(amount) * (unitMs[unit ?? ''] ?? 0),
    0,
  );
}

/**
 * `x-ratelimit-{limit,remaining,reset}-*`. The limit is per minute with most providers and per day with some; the time
 * until it is full again tells, so the slower of the two readings is taken.
 */
export function toldLimit(headers: Headers, name: 'requests' | 'tokens'): ToldLimit | null {
  const read = (what: string): string | null => headers.get(`x-ratelimit-${what}-${name}`);
  const [limit, remaining] = [Number(read('limit') ?? NaN), Number(read('remaining') ?? NaN)];
  if (!(limit > 0 && limit < Infinity) || !(remaining >= 0 && remaining < Infinity)) return null;
  const resetMs = durationMs(read('reset') ?? '') ?? 0;
  const perMinute = limit / 60_000;
  const isUsable = resetMs > 0 && resetMs <= longestResetMs && remaining < limit;
  const refill = isUsable ? (limit - remaining) / resetMs : perMinute;
  return { perMs: Math.min(perMinute, refill), remaining };
}

/** `Retry-After` (seconds or a date) or its finer form in milliseconds; null without either. */
export function retryAfterMs(headers: Headers, now = Date.now()): number | null {
  const fine = Number(headers.get('retry-after-ms') || NaN);
  if (fine >= 0 && fine < Infinity) return fine;
  const text = headers.get('retry-after')?.trim();
  if (!text) return null;
  const ms = Number(text) >= 0 ? Number(text) * 1000 : Date.parse(text) - now;
  return Number.isFinite(ms) ? Math.max(0, ms) : null;
}
