import { setTimeout as delay } from 'node:timers/promises';
import pLimit from 'p-limit';
import { failure } from '../failure.ts';
import { cappedBucket, fill, minuteMs, takeShares } from './bucket.ts';
import type { Bucket, Share } from './bucket.ts';
import { createToldLimits } from './told-limits.ts';

/** A request as it was sent: its place, and the tokens estimated for it and for all up to it. */
export type Sent = { order: number; atMs: number; tokens: number; tokensSoFar: number };

/** Caps per minute; null = none. */
export type Caps = { requestsPerMinute: number | null; tokensPerMinute: number | null };

/** When requests may be sent to one model of one provider, for all stages of this process. */
export type Pace = {
  /**
   * Waits for its turn, first come first served.
   *
   * @param tokens in and out, estimated
   * @throws when cancelled; TeacherUnavailable where the server has asked for a longer wait than anybody waits here
   */
  send(tokens: number, signal: AbortSignal): Promise<Sent>;
  /** Learns from the limits that a response tells, whatever its status. */
  heard(sent: Sent, headers: Headers): void;
  /** Corrects the estimate by what a response says of its usage. */
  used(sent: Sent, tokens: number): void;
  /** A 429: nothing is sent before its Retry-After, and the pace is lowered. Who would have to wait for very long is told so. */
  limited(sent: Sent, retryAfterMs: number | null): void;
  /** Nothing is sent for so long. */
  pause(ms: number): void;
  cap(caps: Caps): void;
};

/** Over which the requests that went through are counted. */
const recentMs = 5_000;
/** What a 429 leaves of the pace, and how much of it comes back per second. */
const keptShare = 0.9;
const regainPerMs = 0.01 / 1000;
/** Far below what went through before, as after a while in which everything was refused, it doubles within this. */
const doublesWithinMs = 30_000;
/** Wakes now and then: a limit may have been lifted meanwhile. */
const longestSleepMs = 1000;

/** A Retry-After beyond this is not waited for: whoever asks meanwhile fails at once, and after so long one may try. */
const longestPauseMs = 10 * 60_000;

/** Milliseconds from any moment on, and waiting. */
export type Clock = { now: () => number; sleep: (ms: number, signal: AbortSignal) => Promise<unknown> };
const clock: Clock = { now: () => performance.now(), sleep: (ms, signal) => delay(ms, undefined, { signal }) };

/**
 * Holds the caps, what the provider's headers tell of its limits, and, after a 429, a pace of its own: what went through
 * lately, regained by and by. Without caps, headers and 429s it holds nothing back.
 */
export function createPace({ now, sleep }: Clock = clock): Pace {
  const turn = pLimit(1);
  const told = createToldLimits();
  const own = createOwnPace();
  let caps: { requests: Bucket | null; tokens: Bucket | null } = { requests: null, tokens: null };
  let order = 0;
  let tokensSoFar = 0;
  let pausedUntilMs = 0;
  let closedUntilMs = 0;
  const pause = (ms: number): void => {
    pausedUntilMs = Math.max(pausedUntilMs, now() + ms);
  };

  const sharesOf = (tokens: number, nowMs: number): Share[] => [
    ...(caps.requests ? [[caps.requests, 1] satisfies Share] : []),
    ...(caps.tokens ? [[caps.tokens, tokens] satisfies Share] : []),
    ...told.shares(tokens),
    ...own.shares(nowMs),
  ];

  /** @returns how long to wait; 0 = its turn has come */
  const take = (tokens: number, nowMs: number): number =>
    pausedUntilMs > nowMs ? pausedUntilMs - nowMs : takeShares(sharesOf(tokens, nowMs), nowMs);

  return {
    send: (tokens, signal) =>
      turn(async () => {
        signal.throwIfAborted();
        let nowMs = now();
        for (let ms = take(tokens, nowMs); ms > 0; ms = take(tokens, nowMs)) {
          if (nowMs < closedUntilMs) throw askedToGo();
          await sleep(Math.max(1, Math.min(ms, longestSleepMs)), signal);
          nowMs = now();
        }
        order += 1;
        tokensSoFar += tokens;
        own.count(1, nowMs);
        return { order, atMs: nowMs, tokens, tokensSoFar };
      }),
    heard(sent, headers) {
      told.hear(sent, headers, { order, tokens: tokensSoFar }, now());
    },
    used(sent, tokens) {
      if (caps.tokens) caps.tokens.level += sent.tokens - tokens;
    },
    limited(sent, retryAfterMs) {
      const nowMs = now();
      own.count(-1, nowMs);
      if (retryAfterMs !== null) pause(Math.min(retryAfterMs, longestPauseMs));
      if (retryAfterMs !== null && retryAfterMs > longestPauseMs) closedUntilMs = nowMs + longestPauseMs;
      const state = told.state(sent.order);
      // Where the limits are told, a refusal now and then is chance; many mean that others draw on them as well.
      const toleratedShare = state === 'told-before' ? 0.02 : 0;
      if (state !== 'told-since') own.lower({ sentOrder: sent.order, order, nowMs, toleratedShare });
    },
    pause,
    cap({ requestsPerMinute, tokensPerMinute }) {
      const nowMs = now();
      caps = {
        requests: cappedBucket(requestsPerMinute, caps.requests, nowMs),
        tokens: cappedBucket(tokensPerMinute, caps.tokens, nowMs),
      };
    },
  };
}

const askedToGo = (): Error =>
  failure(
    'TeacherUnavailable',
    'the server asks for a pause of more than ten minutes (Retry-After): a limit per day may be used up. What was answered is kept',
  );

type Refusal = { sentOrder: number; order: number; nowMs: number; toleratedShare: number };

/** The pace that is found by trying: none until the first 429. */
function createOwnPace() {
  let bucket: (Bucket & { regain: number }) | null = null;
  let cutAt = 0;
  /** Requests per millisecond that went through when some last did. */
  let goodPerMs = 0;
  let beganMs: number | null = null;
  let marks: { atMs: number; count: 1 | -1 }[] = [];

  const lately = (nowMs: number, counted: 1 | -1): number =>
    marks.reduce((total, { atMs, count }) => total + (atMs > nowMs - recentMs && count === counted ? 1 : 0), 0);
  const refusedShare = (nowMs: number): number => lately(nowMs, -1) / Math.max(1, lately(nowMs, 1));

  /** Requests per millisecond that went through lately. */
  const throughPerMs = (nowMs: number): number => {
    return (lately(nowMs, 1) - lately(nowMs, -1)) / Math.min(recentMs, Math.max(1000, nowMs - (beganMs ?? nowMs)));
  };

  return {
    shares(nowMs: number): Share[] {
      if (bucket === null) return [];
      const passedMs = Math.max(0, nowMs - bucket.atMs);
      const near = goodPerMs / 2;
      if (bucket.perMs < near) bucket.perMs = Math.min(near, bucket.perMs * 2 ** (passedMs / doublesWithinMs));
      else bucket.perMs += bucket.regain * passedMs;
      fill(bucket, nowMs);
      return [[bucket, 1]];
    },
    /** A request was sent (1), or refused after all (-1). */
    count(count: 1 | -1, nowMs: number): void {
      beganMs ??= nowMs;
      marks.push({ atMs: nowMs, count });
      if (marks.length > 4096) marks = marks.filter(({ atMs }) => atMs > nowMs - recentMs);
    },
    /** Once per round: refusals of what was sent before the last cut say nothing new. */
    lower({ sentOrder, order, nowMs, toleratedShare }: Refusal): void {
      if (sentOrder <= cutAt || refusedShare(nowMs) <= toleratedShare) return;
      cutAt = order;
      // Few requests tell little: one refusal leaves at least half of the pace, and at first one request a second.
      const least = Math.max(1 / minuteMs, bucket === null ? 1 / 1000 : bucket.perMs / 2);
      const through = throughPerMs(nowMs);
      if (through > 0) goodPerMs = through;
      const perMs = Math.max(least, Math.min(through, (bucket?.perMs ?? Infinity) * keptShare));
      const regain = Math.max(perMs, goodPerMs / 2) * regainPerMs;
      bucket = { perMs, most: Math.max(1, perMs * 100), level: 0, atMs: nowMs, regain };
    },
  };
}
