import { setTimeout as delay } from 'node:timers/promises';
import { Context } from '@temporalio/activity';
import pLimit from 'p-limit';
import type { ResponseProblem } from '../../domain/records.ts';
import { eachInParallel } from '../store/parallel.ts';
import { ask } from './answer.ts';
import type { Answered, Stage, Unanswered } from './answer.ts';
import type { TeacherConnection } from './connect.ts';
import { numbered } from './requests.ts';
import type { ApiRequest, Requests } from './requests.ts';
import { trackRefusals } from './refusal-streak.ts';
import { isUnreadable, teacherFailure } from './teacher-failure.ts';
import type { CallFault } from './teacher-failure.ts';

/** Full jitter: anywhere between nothing and a bound that doubles. */
const firstBackOffMs = 500;
const longestBackOffMs = 16_000;
const backOffMs = (tries: number): number => Math.random() * Math.min(longestBackOffMs, firstBackOffMs * 2 ** tries);

/** A Retry-After beyond this is not waited for here: the activity ends, and its own retries come later. */
const longestRetryAfterMs = 10 * 60_000;
/** So many faults in a row (or one per request in flight) and no answer between them are an outage. */
const faultsOfOutage = 8;

/** So many requests are in hand at once, asked, waiting to be asked or waiting to be asked again: memory holds no more. */
const leastInHand = 1024;

type Limits = { concurrency: number; maxRetries: number };

/** What a stage does with its rows and knows of them before. */
type Rows<Request, Row> = {
  /** What needs not be asked; null = it does. */
  settled: (request: Request, index: number) => Promise<Answered<Row> | null>;
  /** Takes each row as it comes, in any order. */
  keep: (index: number, row: Answered<Row>) => void;
};

/**
 * Every request, answered or failed by name. A fault that may pass is tried again behind the rest of the queue, after a
 * jittered while. In an outage all wait; when it lasts, the activity fails and is tried again: what was answered is kept.
 * One request that keeps failing while others are answered is its own fault, and fails alone.
 *
 * @throws TeacherRejected, TeacherUnavailable, BudgetExceeded, failures of the store; the cancellation
 */
export async function askAll<Request extends ApiRequest, Row>(
  stage: Stage<Request, Row>,
  requests: Requests<Request>,
  { settled, keep }: Rows<Request, Row>,
  { concurrency, maxRetries }: Limits,
): Promise<void> {
  const { connection, signal } = stage.line;
  // Beyond those at the provider a few may be on their way to the store, so that its latency costs no throughput.
  const places = concurrency + Math.ceil(concurrency / 8);
  const limit = pLimit(places);
  const weather = trackWeather(Math.max(concurrency, faultsOfOutage), maxRetries, (ms) => {
    stage.line.pace.pause(ms);
  });
  const ends = trackEnds(connection, requests.count);
  const refusals = trackRefusals();
  const answered = (order: number): void => {
    weather.answered(order);
    refusals.answered();
  };

  const once = async (request: Request): Promise<Answered<Row> | Unanswered | null> => {
    if (ends.any()) return null;
    try {
      return await ask(stage, request, answered);
    } catch (error) {
      ends.end(error);
      return null;
    }
  };

  const course = { weather, ends, refusals, maxRetries, once: (request: Request) => limit(once, request) };
  await eachInParallel(numbered(requests), Math.max(leastInHand, 2 * places), async ({ request, index }) => {
    if (ends.any()) return;
    try {
      const row = (await settled(request, index)) ?? (await untilAnswered(stage, course, request));
      if (row !== null) keep(index, row);
    } catch (error) {
      ends.end(error);
    }
  }).catch(ends.end);
  if (signal.aborted) await Context.current().cancelled;
  ends.raise();
  const refusal = refusals.atTheEnd(requests.count);
  if (refusal !== null) throw teacherFailure(refusal, connection);
}

/** How a stage fares, for all of its requests. */
type Course<Request, Row> = {
  weather: ReturnType<typeof trackWeather>;
  ends: ReturnType<typeof trackEnds>;
  refusals: ReturnType<typeof trackRefusals>;
  maxRetries: number;
  /** One try, when there is a place; null = the stage has ended. */
  once: (request: Request) => Promise<Answered<Row> | Unanswered | null>;
};

/** Whether a fault ends all, or something else has. */
function hasEnded<Request, Row>(
  { line }: Stage<Request, Row>,
  { weather, ends, refusals }: Course<Request, Row>,
  fault: CallFault,
): boolean {
  const away = fault.kind === 'transient' && !isUnreadable(fault.reason);
  const lasting = away && weather.fault();
  const end = fault.kind === 'row' ? refusals.refused(fault) : fault.kind === 'rejected' || lasting ? fault : null;
  if (end !== null) ends.end(teacherFailure(end, line.connection));
  return ends.any();
}

/** One request until it is answered, failed by name or given up; null = the stage ends, or it is asked at the next try. */
async function untilAnswered<Request extends ApiRequest, Row>(
  stage: Stage<Request, Row>,
  course: Course<Request, Row>,
  request: Request,
): Promise<Answered<Row> | null> {
  const { weather, ends, maxRetries } = course;
  let progress = weather.answers();
  const before = givenUp(stage, request, maxRetries);
  if (before !== null) return before;
  for (let tries = 0; ; tries += 1) {
    const outcome = await course.once(request);
    if (outcome === null || 'response' in outcome) return outcome;
    const { fault } = outcome;
    if (outcome.came && fault.kind === 'transient') stage.wasted.count(request.digest, fault.reason, fault.message);
    if (hasEnded(stage, course, fault)) return null;
    if (fault.kind === 'row') return failed(stage, request, fault);
    if (fault.kind !== 'transient') return null;
    const given = givenUp(stage, request, maxRetries);
    if (given !== null) return given;
    // Waiting for a limit is no failure as long as the queue moves.
    if (fault.reason === 'rate-limit' && weather.answers() > progress) tries = 0;
    progress = weather.answers();
    if (!fault.again || tries >= maxRetries || (fault.retryAfterMs ?? 0) > longestRetryAfterMs) {
      // A server that answers, if only with rubbish, is not away.
      const there = isUnreadable(fault.reason) || weather.answeredAfter(outcome.order);
      if (fault.again && there) return failed(stage, request, fault);
      ends.give(fault);
      return null;
    }
    const waitMs = Math.max(backOffMs(tries), fault.retryAfterMs ?? 0);
    await delay(waitMs, undefined, { signal: stage.line.signal }).catch(() => undefined);
  }
}

/** Why a stage does not finish: what ended it, or requests that were given up. */
function trackEnds(connection: TeacherConnection, count: number) {
  const ends: Error[] = [];
  const given: { first: CallFault | null; count: number } = { first: null, count: 0 };
  return {
    any: (): boolean => ends.length > 0,
    end: (error: unknown): void => {
      ends.push(error instanceof Error ? error : new Error(String(error)));
    },
    give: (fault: CallFault): void => {
      given.first ??= fault;
      given.count += 1;
    },
    raise: (): void => {
      if (ends[0]) throw ends[0];
      if (given.first === null) return;
      const message = `${given.count} of ${count} requests failed, the first with: ${given.first.message}`;
      throw teacherFailure({ ...given.first, message }, connection);
    },
  };
}

/** A request whose answers were of no use as often as may be, this time and before: it is not paid for again. */
function givenUp<Request extends ApiRequest, Row>(
  stage: Stage<Request, Row>,
  request: Request,
  maxRetries: number,
): Answered<Row> | null {
  const wasted = stage.wasted.of(request.digest);
  if (wasted === undefined || wasted.times <= maxRetries) return null;
  return failed(stage, request, { message: wasted.message, reason: wasted.problem });
}

const failed = <Request, Row>(
  { reading }: Stage<Request, Row>,
  request: Request,
  { message, reason }: { message: string; reason: ResponseProblem },
): Answered<Row> => ({ response: reading.failed(request, message, reason), model: null });

/**
 * Tells an outage from single faults. Each time that it looks like one, all wait for longer.
 *
 * @param most faults in a row that are none yet
 * @param patience pauses before it counts as lasting
 */
function trackWeather(most: number, patience: number, pause: (ms: number) => void) {
  let answers = 0;
  let newest = 0;
  let inARow = 0;
  let pauses = 0;
  return {
    answers: (): number => answers,
    /** Whether a request that was sent later has been answered. */
    answeredAfter: (order: number): boolean => newest > order,
    answered: (order: number): void => {
      answers += 1;
      newest = Math.max(newest, order);
      inARow = 0;
      pauses = 0;
    },
    /** @returns true when the outage lasts */
    fault: (): boolean => {
      inARow += 1;
      if (inARow < most) return false;
      inARow = 0;
      if (pauses >= patience) return true;
      pause(backOffMs(pauses));
      pauses += 1;
      return false;
    },
  };
}
