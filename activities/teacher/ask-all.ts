import { setTimeout as delay } from 'node:timers/promises';
import { Context } from '@temporalio/activity';
import pLimit from 'p-limit';
import { ask } from './answer.ts';
import type { Answered, Stage, Unanswered } from './answer.ts';
import type { ApiRequest } from './requests.ts';
import { teacherFailure } from './teacher-failure.ts';
import type { CallFault } from './teacher-failure.ts';

/** Full jitter: anywhere between nothing and a bound that doubles. */
const firstBackOffMs = 500;
const longestBackOffMs = 16_000;
const backOffMs = (tries: number): number => Math.random() * Math.min(longestBackOffMs, firstBackOffMs * 2 ** tries);

/** A Retry-After beyond this is not waited for here: the activity ends, and its own retries come later. */
const longestRetryAfterMs = 10 * 60_000;
/** So many faults in a row (or one per request in flight) and no answer between them are an outage. */
const faultsOfOutage = 8;

type Limits = { concurrency: number; maxRetries: number; advance: () => void };

/**
 * Every request, answered or failed by name. A fault that may pass is tried again behind the rest of the queue, after a
 * jittered while. In an outage all wait; when it lasts, the activity fails and is tried again: what was answered is kept.
 * One request that keeps failing while others are answered is its own fault, and fails alone.
 *
 * @param settled what needs not be asked, by index; null = it does
 * @throws TeacherRejected, TeacherUnavailable, BudgetExceeded, failures of the store; the cancellation
 */
export async function askAll<Request extends ApiRequest, Row>(
  stage: Stage<Request, Row>,
  requests: readonly Request[],
  settled: readonly (Answered<Row> | null)[],
  { concurrency, maxRetries, advance }: Limits,
): Promise<Answered<Row>[]> {
  const { connection, signal } = stage.line;
  // Beyond those at the provider a few may be on their way to the store, so that its latency costs no throughput.
  const limit = pLimit(concurrency + Math.ceil(concurrency / 8));
  const weather = trackWeather(Math.max(concurrency, faultsOfOutage), maxRetries, (ms) => {
    stage.line.pace.pause(ms);
  });
  const ends: Error[] = [];
  const given: CallFault[] = [];

  const once = async (request: Request): Promise<Answered<Row> | Unanswered | null> => {
    if (ends.length > 0) return null;
    try {
      return await ask(stage, request, weather.answered);
    } catch (error) {
      ends.push(error instanceof Error ? error : new Error(String(error)));
      return null;
    }
  };

  const untilAnswered = async (request: Request): Promise<Answered<Row> | null> => {
    let progress = weather.answers();
    for (let tries = 0; ; tries += 1) {
      const outcome = await limit(once, request);
      if (outcome === null || 'response' in outcome) return outcome;
      const { fault } = outcome;
      if (fault.kind === 'row') return failed(stage, request, fault);
      const lasting = fault.kind === 'transient' && weather.fault();
      if (fault.kind === 'rejected' || lasting) ends.push(teacherFailure(fault, connection));
      if (ends.length > 0) return null;
      if (fault.kind !== 'transient') return null;
      // Waiting for a limit is no failure as long as the queue moves.
      if (fault.reason === 'rate-limit' && weather.answers() > progress) tries = 0;
      progress = weather.answers();
      if (!fault.again || tries >= maxRetries || (fault.retryAfterMs ?? 0) > longestRetryAfterMs) {
        // A server that answers, if only with rubbish, is not away.
        const there = fault.reason === 'malformed' || weather.answeredAfter(outcome.order);
        if (fault.again && there) return failed(stage, request, fault);
        given.push(fault);
        return null;
      }
      await delay(Math.max(backOffMs(tries), fault.retryAfterMs ?? 0), undefined, { signal }).catch(() => undefined);
    }
  };

  const answered = await Promise.all(
    requests.map(async (request, index) => {
      const one = settled[index] ?? (await untilAnswered(request));
      if (one !== null) advance();
      return one;
    }),
  );
  if (signal.aborted) await Context.current().cancelled;
  if (ends[0]) throw ends[0];
  if (given[0]) {
    const message = `${given.length} of ${requests.length} requests failed, the first with: ${given[0].message}`;
    throw teacherFailure({ ...given[0], message }, connection);
  }
  return answered.filter((one) => one !== null);
}

const failed = <Request, Row>(
  { reading }: Stage<Request, Row>,
  request: Request,
  { message, reason }: Extract<CallFault, { kind: 'row' | 'transient' }>,
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
