import { beforeEach, describe, expect, it, vi } from 'vitest';
import { createPace } from '../../../activities/teacher/pace.ts';
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
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    return () => vi.useRealTimers();
  });
  /** How many of a crowd are sent within so long. */
  const sentWithin = async (pace: ReturnType<typeof createPace>, ms: number, tokens = 1): Promise<number> => {
    let sent = 0;
    const stop = new AbortController();
    const crowd = Array.from({ length: 2000 }, () =>
      pace.send(tokens, stop.signal).then(
        () => (sent += 1),
        () => undefined,
      ),
    );
    await vi.advanceTimersByTimeAsync(ms);
    const within = sent;
    stop.abort();
    await vi.advanceTimersByTimeAsync(1000);
    await Promise.all(crowd);
    return within;
  };

  it('holds a cap of requests in the first minute, and uses it', async () => {
    const pace = createPace();
    pace.cap({ requestsPerMinute: 600, tokensPerMinute: null });
    const sent = await sentWithin(pace, 60_000);
    expect(sent).toBeLessThanOrEqual(600);
    expect(sent).toBeGreaterThan(590);
  });

  it('holds a cap of tokens', async () => {
    const pace = createPace();
    pace.cap({ requestsPerMinute: null, tokensPerMinute: 60_000 });
    const sent = await sentWithin(pace, 60_000, 100);
    expect(sent).toBeLessThanOrEqual(600);
    expect(sent).toBeGreaterThan(580);
  });

  it('does not send what the headers say would be refused', async () => {
    const pace = createPace();
    const sent = await pace.send(1, never);
    pace.heard(sent, new Headers({ 'x-ratelimit-limit-requests': '600', 'x-ratelimit-remaining-requests': '5' }));
    expect(await sentWithin(pace, 2000)).toBeLessThanOrEqual(5 + 20 + 1);
  });

  it('sends nothing before a Retry-After, and then as many as went through before', async () => {
    const pace = createPace();
    const crowd = await Promise.all(Array.from({ length: 20 }, () => pace.send(1, never)));
    for (const sent of crowd.slice(10)) pace.limited(sent, 2000);
    expect(await sentWithin(pace, 1900)).toBe(0);
    const after = await sentWithin(pace, 1100);
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

  it('Retry-After in seconds, as a date, in milliseconds', () => {
    expect(retryAfterMs(new Headers({ 'retry-after': '3' }))).toBe(3000);
    expect(retryAfterMs(new Headers({ 'retry-after': '3', 'retry-after-ms': '20' }))).toBe(20);
    expect(retryAfterMs(new Headers({ 'retry-after': 'Thu, 01 Jan 1970 00:01:00 GMT' }), 0)).toBe(60_000);
    expect(retryAfterMs(new Headers())).toBeNull();
  });
});
