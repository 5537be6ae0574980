/** A token bucket: `level` fills by `perMs` up to `most`. */
export type Bucket = { perMs: number; most: number; level: number; atMs: number };

/** A bucket, and how much of it a request takes. */
export type Share = [Bucket, number];

export const minuteMs = 60_000;

/** Brings it to the present. */
export const fill = (bucket: Bucket, nowMs: number): void => {
  bucket.level = Math.min(bucket.most, bucket.level + (nowMs - bucket.atMs) * bucket.perMs);
  bucket.atMs = nowMs;
};

/** Until the amount can be taken; one larger than the bucket goes when it is full. */
export const waitMs = (bucket: Bucket, amount: number): number =>
  Math.max(0, (Math.min(amount, bucket.most) - bucket.level) / bucket.perMs);

/** A cap that holds in every window of a minute: one second's worth at once, and the rest evenly. */
export function cappedBucket(perMinute: number | null, before: Bucket | null, nowMs: number): Bucket | null {
  if (perMinute === null) return null;
  const most = Math.max(1, perMinute / 60);
  const perMs = Math.max(perMinute - most, perMinute / 2) / minuteMs;
  return { perMs, most, level: Math.min(most, before?.level ?? most), atMs: nowMs };
}
