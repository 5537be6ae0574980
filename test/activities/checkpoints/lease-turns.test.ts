import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openLease, readLease } from '../../../activities/checkpoints/lease.ts';
import type { Turn } from '../../../activities/checkpoints/lease.ts';
import type { Store } from '../../../activities/store/store.ts';
import { startTestS3 } from '../../setup/s3.ts';
import type { TestS3 } from '../../setup/s3.ts';

let s3: TestS3;
let store: Store;
beforeAll(async () => {
  s3 = await startTestS3();
  store = s3.newStore();
});
afterAll(() => s3.stop());

const turn = (scheduledAt: number, attempt: number): Turn => ({ scheduledAt, attempt });
const failsAs = (type: string): unknown => expect.objectContaining({ type });
const farAhead = Date.now() + 365 * 24 * 3_600_000;

describe('two takers of one lease, the second of which', () => {
  test.each<{ name: string; first: Turn | null; second: Turn | null; wins: boolean }>([
    { name: 'is the next try', first: turn(5, 1), second: turn(5, 2), wins: true },
    { name: 'is an earlier try that comes late', first: turn(5, 2), second: turn(5, 1), wins: false },
    { name: 'was scheduled later', first: turn(5, 7), second: turn(6, 1), wins: true },
    { name: 'was scheduled earlier', first: turn(6, 1), second: turn(5, 7), wins: false },
    { name: 'is the same try', first: turn(5, 3), second: turn(5, 3), wins: true },
    { name: 'does not know its turn', first: turn(5, 3), second: null, wins: true },
    { name: 'meets one that does not know its turn', first: null, second: turn(1, 1), wins: true },
    { name: 'meets one from a clock that was a year ahead', first: turn(farAhead, 9), second: turn(5, 1), wins: true },
  ])('$name: takes it = $wins', async ({ name, first, second, wins }) => {
    const prefix = `turns/${name}`;
    const holder = await openLease(store, prefix, 'first', first);
    const taking = openLease(store, prefix, 'second', second);
    if (wins) {
      expect((await taking).epoch).toBe(2);
      await expect(holder.check()).rejects.toEqual(failsAs('LeaseLost'));
    } else {
      await expect(taking).rejects.toEqual(failsAs('LeaseLost'));
      await holder.check();
      await holder.update((record) => ({ ...record, microBatch: 4 }));
    }
    const expected = wins ? { epoch: 2, owner: 'second', turn: second } : { epoch: 1, owner: 'first', turn: first };
    expect((await readLease(store, prefix))?.record).toMatchObject(expected);
  });

  test('had read the lease before the first took it', async () => {
    let wake = (): void => undefined;
    const asleep = new Promise<void>((resolve) => (wake = resolve));
    let reads = 0;
    const getJson: Store['getJson'] = async (key) => {
      const found = await store.getJson(key);
      if ((reads += 1) === 1) await asleep;
      return found;
    };
    const late = openLease({ ...store, getJson }, 'turns/read-before', 'late', turn(5, 1));
    const live = await openLease(store, 'turns/read-before', 'live', turn(5, 2));
    wake();
    await expect(late).rejects.toEqual(failsAs('LeaseLost'));
    await live.check();
  });

  test('all of many: whoever comes when, the last turn holds it', async () => {
    const order = [3, 8, 1, 6, 2, 7, 5, 4];
    await Promise.allSettled(order.map((n) => openLease(store, 'turns/many', `try-${n}`, turn(5, n))));
    expect((await readLease(store, 'turns/many'))?.record.owner).toBe('try-8');
  });
});
