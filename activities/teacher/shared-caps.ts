import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { sha256 } from '../store/files.ts';
import type { Store } from '../store/store.ts';
import type { Caps, Pace } from './pace.ts';

/** Who asks one model of one server now: id of the process and until when it counts, milliseconds since 1970. */
const Members = z.record(z.string(), z.number());
type Members = z.infer<typeof Members>;

const renewMs = 5_000;
/** One that has not renewed for so long is gone. Clocks of hosts may differ by less than half of it. */
const goneMs = 30_000;

/**
 * Divides caps evenly among the processes that ask the same model: each is a member of a list in S3, kept by
 * compare-and-swap and renewed every few seconds. One that joins others waits until they have seen it; one that cannot
 * renew stops before the others take its share. So the sum is never above the cap.
 *
 * @param name of server and model
 * @returns leaves the list; the others have its share after their next renewal
 * @throws failures of the store, when joining
 */
export async function shareCaps(store: Store, name: string, caps: Caps, pace: Pace): Promise<() => void> {
  const key = `teacher-caps/${sha256(name).slice(0, 16)}.json`;
  const me = randomUUID();
  const divide = (members: number): void => {
    const part = (cap: number | null): number | null => (cap === null ? null : cap / members);
    pace.cap({ requestsPerMinute: part(caps.requestsPerMinute), tokensPerMinute: part(caps.tokensPerMinute) });
  };
  const keep = (): Promise<number> => change(store, key, (members) => ({ ...members, [me]: Date.now() + goneMs }));

  let renewedAt = Date.now();
  const members = await keep();
  divide(members);
  if (members > 1) pace.pause(renewMs * 1.5);
  const timer = setInterval(() => {
    const askedAt = Date.now();
    keep().then(
      (count) => {
        renewedAt = askedAt;
        divide(count);
      },
      () => {
        if (Date.now() - renewedAt > goneMs / 2) pace.pause(renewMs * 1.5);
      },
    );
  }, renewMs);
  return () => {
    clearInterval(timer);
    // One that cannot say that it leaves is gone by itself.
    change(store, key, (all) => Object.fromEntries(Object.entries(all).filter(([id]) => id !== me))).catch(
      () => undefined,
    );
  };
}

/** @returns how many members there are after the change */
async function change(store: Store, key: string, update: (members: Members) => Members): Promise<number> {
  for (;;) {
    const found = await store.getJson(key);
    const now = Date.now();
    const listed = Object.entries(Members.parse(found?.value ?? {})).filter(([, until]) => until > now);
    const members = update(Object.fromEntries(listed));
    if ((await store.objects.swap(key, JSON.stringify(members), found?.etag ?? null)) !== null) {
      return Object.keys(members).length;
    }
  }
}
