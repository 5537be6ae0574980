/** A token bucket: `level` fills by `perMs` up to `most`. */
export type Bucket = { perMs: number; most: number; level: number; atMs: number };

/** A bucket, and how much of it a request takes. */
export type Share = [Bucket, number];

export const minuteMs = 60_000;

/** Brings it to the present. A moment before the one that it was last brought to changes nothing: time does not run back. */
export const fill = (bucket: Bucket, nowMs: number): void => {
  const passedMs = Math.max(0, nowMs - bucket.atMs);
  bucket.level = Math.min(bucket.most, bucket.level + passedMs * bucket.perMs);
  bucket.atMs += passedMs;
};

/** Until the amount can be taken; one larger than the bucket goes when it is full. */
const waitMs = (bucket: Bucket, amount: number): number => {
  const missing = Math.min(amount, bucket.most) - bucket.level;
  return missing > 0 ? missing / bucket.perMs : 0;
};

/**
 * Takes all of the shares, at one moment for all of them, or none.
 *
 * @returns milliseconds until they may be there; 0 = they were taken
 */
export function takeShares(shares: readonly Share[], nowMs: number): number {
  for (const [bucket] of shares) fill(bucket, nowMs);
  const ms = Math.max(0, ...shares.map(([bucket, amount]) => waitMs(bucket, amount)));
  if (ms === 0) for (const [bucket, amount] of shares) bucket.level -= amount;
  return ms;
}

/** A cap that holds in every window of a minute: one second's worth at once, and the rest evenly. */
export function cappedBucket(perMinute: number | null, before: Bucket | null, nowMs: number): Bucket | null {
  if (perMinute === null) return null;
  const most = Math.max(1, perMinute / 60);
  const perMs = Math.max(perMinute - most, perMinute / 2) / minuteMs;
  if (before) fill(before, nowMs);
  return { perMs, most, level: Math.min(most, before?.level ?? most), atMs: nowMs };
}
