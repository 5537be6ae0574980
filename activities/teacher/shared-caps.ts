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
const MOST_AT_ONCE = 4;

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
  let onTheirWay = 0;
  const timer = setInterval(() => {
    // While S3 is away a new request hears sooner that it is back than one that pauses; a server that hangs gets no more of them.
    if (onTheirWay === MOST_AT_ONCE) return;
    onTheirWay += 1;
    const askedAt = Date.now();
    keep()
      .then(
        (count) => {
          renewedAt = askedAt;
          divide(count);
        },
        () => undefined,
      )
      .finally(() => (onTheirWay -= 1));
  }, renewMs);
  const watch = setInterval(() => {
    if (Date.now() - renewedAt > goneMs / 2) pace.pause(renewMs * 1.5);
  }, renewMs);
  return () => {
    clearInterval(timer);
    clearInterval(watch);
    // One that cannot say that it leaves is gone by itself.
    change(store, key, (all) => Object.fromEntries(Object.entries(all).filter(([id]) => id !== me))).catch(
      () => undefined,
    );
  };
}

/** @returns how many members there are after the change. @throws StorageUnavailable when others are always faster */
async function change(store: Store, key: string, update: (members: Members) => Members): Promise<number> {
  const body = await store.objects.change(key, (found) => {
    const now = Date.now();
    const listed = Object.entries(membersOf(found)).filter(([, until]) => until > now);
    return JSON.stringify(update(Object.fromEntries(listed)));
  });
  return Object.keys(membersOf(body)).length;
}

/** A list that nobody can read is as none: each member puts itself on the new one within seconds. */
function membersOf(text: string | null): Members {
  try {
    return Members.parse(JSON.parse(text ?? '{}'));
  } catch {
    return {};
  }
}
