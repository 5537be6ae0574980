import { describe, expect, it } from 'vitest';
import { fill } from '../../../activities/teacher/bucket.ts';
import { createPace } from '../../../activities/teacher/pace.ts';
import type { Pace, Sent } from '../../../activities/teacher/pace.ts';
import { durationMs, retryAfterMs, toldLimit } from '../../../activities/teacher/rate-headers.ts';
import { createWindow } from '../../../activities/teacher/window.ts';

const never = new AbortController().signal;

describe('the window', () => {
  const full = async (most: number) => {
    const window = createWindow(most);
    const orders: number[] = [];
    for (let index = 0; index < window.size; index += 1) orders.push(await window.enter(never));
    return { window, orders };
  };

  it('shrinks once per round of 429s, and not for other errors', async () => {
    const { window, orders } = await full(10);
    window.leave(orders[0] ?? 0, 'other');
    expect(window.size).toBe(10);
    for (const order of orders.slice(1, 6)) window.leave(order, 'limited');
    expect(window.size).toBe(8);
    const later = await window.enter(never);
    window.leave(later, 'limited');
    expect(window.size).toBe(6);
  });

  it('grows by one per window of answers after a 429, by doubling before, and never beyond its most', async () => {
    const { window, orders } = await full(100);
    expect(window.size).toBe(64);
    for (const order of orders) window.leave(order, 'answered');
    expect(window.size).toBe(100);
    window.leave(await window.enter(never), 'limited');
    expect(window.size).toBe(80);
    for (let answer = 0; answer < 81; answer += 1) window.leave(await window.enter(never), 'answered');
    expect(window.size).toBe(81);
  });

  it('lets nobody in beyond its size, and gives the room of who was cancelled to the next', async () => {
    const window = createWindow(1);
    const first = await window.enter(never);
    const cancelled = window.enter(AbortSignal.abort(new Error('cancelled')));
    const second = window.enter(never);
    window.leave(first, 'answered');
    await expect(cancelled).rejects.toThrow('cancelled');
    expect(await second).toBeGreaterThan(first);
  });
});

describe('the pace', () => {
  /** Time goes on between two readings of a clock, as it does on a busy machine. */
  const readingMs = 0.001;

  /** A pace whose clock goes on by what it waits for, and a little with each reading. A loop that does not end fails. */
  const onOwnClock = () => {
    let ms = 0;
    let sleeps = 0;
    const sleep = (waitMs: number): Promise<void> => {
      if ((sleeps += 1) > 10_000) throw new Error('it waits without end');
      ms += waitMs;
      return Promise.resolve();
    };
    const pace = createPace({ now: () => (ms += readingMs), sleep });
    /** How many requests go out, one after the other, within so long. */
    const sentWithin = async (forMs: number, tokens = 1): Promise<number> => {
      const until = ms + forMs;
      for (let sent = 0; ; sent += 1) if ((await pace.send(tokens, never)).atMs > until) return sent;
    };
    const idle = (forMs: number): void => {
      ms += forMs;
    };
    return { pace, sentWithin, sleeps: () => sleeps, idle };
  };

  it.each([
    {
      name: 'after a 429',
      slow: (pace: Pace, sent: Sent) => {
        pace.limited(sent, 1000);
      },
    },
    {
      name: 'under a cap',
      slow: (pace: Pace) => {
        pace.cap({ requestsPerMinute: 90, tokensPerMinute: 900 });
      },
    },
    {
      name: 'told by headers',
      slow: (pace: Pace, sent: Sent) => {
        pace.heard(sent, new Headers({ 'x-ratelimit-limit-requests': '60', 'x-ratelimit-remaining-requests': '0' }));
      },
    },
  ])('goes on below ten requests a second, $name: a wait or two for each', async ({ slow }) => {
    const { pace, sleeps } = onOwnClock();
    const first = await pace.send(1, never);
    for (let sent = 1; sent < 6; sent += 1) await pace.send(1, never);
    slow(pace, first);
    const before = sleeps();
    for (let sent = 0; sent < 50; sent += 1) await pace.send(1, never);
    expect(sleeps() - before).toBeLessThan(50 * 6);
  });

  it('comes back within minutes after a while in which everything was refused', async () => {
    const { pace, sentWithin } = onOwnClock();
    pace.cap({ requestsPerMinute: 480, tokensPerMinute: null });
    await sentWithin(10_000);
    for (let refused = 0; refused < 12; refused += 1) pace.limited(await pace.send(1, never), null);
    expect(await sentWithin(600_000)).toBeGreaterThan(500);
  });

  it('a Retry-After of hours is not waited for: who asks is told so, and after ten minutes one may try', async () => {
    const { pace, idle } = onOwnClock();
    pace.limited(await pace.send(1, never), 86_400_000);
    await expect(pace.send(1, never)).rejects.toMatchObject({ type: 'TeacherUnavailable' });
    idle(600_000);
    await pace.send(1, never);
  });

  it('time that runs back costs nothing', () => {
    const bucket = { perMs: 0.001, most: 1, level: 0, atMs: 0 };
    for (const atMs of [1000, 900, 1000, 500, 1000]) fill(bucket, atMs);
    expect(bucket).toMatchObject({ level: 1, atMs: 1000 });
  });

  it('a cap that is renewed while nobody asks does not begin again', async () => {
    const { pace, idle } = onOwnClock();
    const cap = { requestsPerMinute: 10, tokensPerMinute: null };
    pace.cap(cap);
    const first = await pace.send(1, never);
    for (let renewals = 0; renewals < 12; renewals += 1) {
      idle(5000);
      pace.cap(cap);
    }
    expect((await pace.send(1, never)).atMs - first.atMs).toBeLessThan(60_001);
  });

  it('holds a cap of requests from the first minute on, and uses it', async () => {
    const { pace, sentWithin } = onOwnClock();
    pace.cap({ requestsPerMinute: 600, tokensPerMinute: null });
    const sent = await sentWithin(60_000);
    expect(sent).toBeLessThanOrEqual(600);
    expect(sent).toBeGreaterThan(0.97 * 600);
    expect(await sentWithin(60_000)).toBeGreaterThan(0.97 * 600);
  });

  it('holds a cap of tokens, and counts what was used instead of what was estimated', async () => {
    const { pace, sentWithin } = onOwnClock();
    pace.cap({ requestsPerMinute: null, tokensPerMinute: 60_000 });
    const sent = await sentWithin(60_000, 100);
    expect(sent).toBeLessThanOrEqual(600);
    expect(sent).toBeGreaterThan(0.97 * 600);
    const one = await pace.send(1000, never);
    pace.used(one, 100);
    expect((await pace.send(100, never)).atMs - one.atMs).toBeLessThan(300);
  });

  it('does not send what the headers say would be refused', async () => {
    const { pace, sentWithin } = onOwnClock();
    const sent = await pace.send(1, never);
    const told = { 'x-ratelimit-limit-requests': '600', 'x-ratelimit-remaining-requests': '5' };
    pace.heard(sent, new Headers(told));
    expect(await sentWithin(2000)).toBeLessThanOrEqual(5 + 20);
  });

  it('sends nothing before a Retry-After, and then about as many as went through before', async () => {
    const { pace, sentWithin } = onOwnClock();
    const crowd = await Promise.all(Array.from({ length: 20 }, () => pace.send(1, never)));
    for (const sent of crowd.slice(10)) pace.limited(sent, 2000);
    const next = await pace.send(1, never);
    expect(next.atMs).toBeGreaterThanOrEqual(2000);
    const after = await sentWithin(1000);
    expect(after).toBeGreaterThan(0);
    expect(after).toBeLessThan(30);
  });
});

describe('headers of limits', () => {
  it.each([
    ['12ms', 12],
    ['1.5s', 1500],
    ['6m0s', 360_000],
    ['2', 2000],
    ['soon', null],
  ])('%s', (text, ms) => {
    expect(durationMs(text)).toBe(ms);
  });

  it('a limit per day is not taken for one per minute', () => {
    const told = toldLimit(
      new Headers({
        'x-ratelimit-limit-requests': '14400',
        'x-ratelimit-remaining-requests': '14370',
        'x-ratelimit-reset-requests': '3m0s',
      }),
      'requests',
    );
    expect(told).toEqual({ perMs: 30 / 180_000, remaining: 14370 });
  });

  it.each(['1764290000', '1764290000000', '9999d'])(
    'a time of day (%s) is no time until the limit is full',
    (reset) => {
      const headers = { 'x-ratelimit-limit-requests': '60', 'x-ratelimit-remaining-requests': '0' };
      const told = toldLimit(new Headers({ ...headers, 'x-ratelimit-reset-requests': reset }), 'requests');
      expect(told).toEqual({ perMs: 60 / 60_000, remaining: 0 });
    },
  );

  it.each([
    ['a limit without bounds', { 'x-ratelimit-limit-requests': 'Infinity', 'x-ratelimit-remaining-requests': '5' }],
    ['a rest without bounds', { 'x-ratelimit-limit-requests': '5', 'x-ratelimit-remaining-requests': '1e999' }],
  ])('%s is none', (_, headers) => {
    expect(toldLimit(new Headers(headers), 'requests')).toBeNull();
  });

  it.each([
    [{ 'retry-after-ms': 'Infinity', 'retry-after': '2' }, 2000],
    [{ 'retry-after-ms': '', 'retry-after': '2' }, 2000],
    [{ 'retry-after': '' }, null],
    [{ 'retry-after': '1e999' }, null],
    [{ 'retry-after': 'soon' }, null],
  ])('a Retry-After that makes no sense: %j', (headers, ms) => {
    expect(retryAfterMs(new Headers(headers))).toBe(ms);
  });

  it('Retry-After in seconds, as a date, in milliseconds', () => {
    expect(retryAfterMs(new Headers({ 'retry-after': '3' }))).toBe(3000);
    expect(retryAfterMs(new Headers({ 'retry-after': '3', 'retry-after-ms': '20' }))).toBe(20);
    expect(retryAfterMs(new Headers({ 'retry-after': 'Thu, 01 Jan 1970 00:01:00 GMT' }), 0)).toBe(60_000);
    expect(retryAfterMs(new Headers())).toBeNull();
  });
});
