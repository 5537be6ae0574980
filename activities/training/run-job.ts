import { once } from 'node:events';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { TrainerEvent } from '../../config/trainer-job.ts';
import { failure, failureType } from '../failure.ts';
import { LineTooLong, linesOf } from '../store/lines.ts';
import type { TrainerServer } from './trainer-server.ts';

type EventOf<Kind extends TrainerEvent['event']> = Extract<TrainerEvent, { event: Kind }>;

/** How a job ended. */
export type JobOutcome = {
  /** Null when the fork server did not tell the end: it went away, hangs, or says what no server says. */
  code: number | null;
  /** Signal number that killed it, if one did. */
  signal: number | null;
  result: EventOf<'result'> | null;
  error: EventOf<'error'> | null;
  /** Whether we ended it: asked (TERM), killed, or killed because it made no step. */
  endedBy: 'asked' | 'killed' | 'stalled' | null;
  /** True once a step or a generation was seen. */
  advanced: boolean;
  /** What the fork server said that none says. */
  nonsense?: string;
  seconds: number;
};

export type JobOptions = {
  onEvent: (event: TrainerEvent) => void;
  /** Aborted: the trainer saves at the next step boundary and ends, within `graceMs`. */
  stop: AbortSignal;
  /** Aborted: the trainer is killed at once. */
  kill: AbortSignal;
  graceMs: number;
  /** Alive without a step (or generation) for longer: killed. Counts from the start, so it covers loading too. */
  stallMs: number;
};

/** After a KILL the server reports the end within moments; longer, and the server itself hangs. */
const KILL_REPORT_MS = 5_000;
/** A server whose queue is full lets nobody in. */
const CONNECT_MS = 10_000;
/** No event is nearly as long. */
const MOST_EVENT_CHARS = 4 * 1024 * 1024;

const advances: ReadonlySet<string> = new Set(['step', 'generated', 'eval', 'checkpoint', 'result']);

/**
 * Runs one job on the worker's fork server. One that does not tell how the job ended is killed and forgotten, so that the
 * next job starts another: what hangs once hangs again.
 *
 * @throws as {@link runJob}, {@link TrainerServer}
 */
export async function runOnServer(trainer: TrainerServer, jobFile: string, options: JobOptions): Promise<JobOutcome> {
  const socket = await trainer.socket();
  try {
    const outcome = await runJob(socket, jobFile, options);
    if (outcome.code === null) await trainer.discard(socket);
    return outcome;
  } catch (error) {
    if (failureType(error) === 'TrainerFailed') await trainer.discard(socket);
    throw error;
  }
}

/**
 * Runs one job on a fork server and follows its events to the end. Closing our end of the connection (by dying, for
 * one) kills the job. Returns within `stallMs`, or `graceMs` after a request to stop, and a few seconds, whatever the server
 * does: says nothing, says half a line or nonsense without end, or goes away.
 *
 * @param socketPath of the fork server
 * @param jobFile absolute path
 * @throws TrainerFailed when the server cannot be reached
 */
export async function runJob(socketPath: string, jobFile: string, options: JobOptions): Promise<JobOutcome> {
  const startedAt = Date.now();
  const socket = await connectTo(socketPath);
  const outcome: JobOutcome = {
    ...{ code: null, signal: null, result: null, error: null },
    ...{ endedBy: null, advanced: false, seconds: 0 },
  };
  const control = controlJob(socket, options, outcome);
  socket.write(`${JSON.stringify({ job: jobFile })}\n`);
  try {
    for await (const event of eventsOf(socket, outcome)) {
      if (event.event === 'exit') {
        outcome.code = event.code;
        outcome.signal = event.signal ?? null;
        break;
      }
      if (advances.has(event.event)) {
        outcome.advanced = true;
        control.advanced();
      }
      if (event.event === 'result') outcome.result = event;
      if (event.event === 'error') outcome.error = event;
      options.onEvent(event);
    }
  } finally {
    control.end();
    socket.destroy();
    outcome.seconds = (Date.now() - startedAt) / 1000;
  }
  return outcome;
}

/** The events until the connection ends, however it ends: that it did without an `exit` is told by `code: null`. */
async function* eventsOf(socket: Socket, outcome: JobOutcome): AsyncGenerator<TrainerEvent> {
  try {
    for await (const line of linesOf(socket, MOST_EVENT_CHARS)) {
      const event = parseEvent(line);
      if (event !== null) yield event;
    }
  } catch (error) {
    if (error instanceof LineTooLong) outcome.nonsense = error.message;
  }
}

/** Null for lines of a newer trainer, which say nothing to us. */
function parseEvent(line: string): TrainerEvent | null {
  try {
    return TrainerEvent.safeParse(JSON.parse(line)).data ?? null;
  } catch {
    return null;
  }
}

async function connectTo(path: string): Promise<Socket> {
  const socket = connect(path);
  const late = setTimeout(() => {
    socket.destroy(new Error(`not within ${CONNECT_MS / 1000} s`));
  }, CONNECT_MS);
  try {
    await once(socket, 'connect');
  } catch (error) {
    const cause = error as Error;
    const message = `the trainer's fork server cannot be reached at ${path}: ${cause.message}`;
    throw failure('TrainerFailed', message, { cause });
  } finally {
    clearTimeout(late);
    // Later errors come out of the reading loop.
    socket.on('error', () => undefined);
  }
  return socket;
}

/** Turns aborts and missing progress into signals to the job. */
function controlJob(socket: Socket, options: JobOptions, outcome: JobOutcome) {
  const timers = new Set<NodeJS.Timeout>();
  const after = (ms: number, act: () => void): NodeJS.Timeout => {
    const timer = setTimeout(act, ms);
    timers.add(timer);
    return timer;
  };
  const send = (signal: 'TERM' | 'KILL'): void => {
    socket.write(`${JSON.stringify({ signal })}\n`);
  };
  const kill = (why: 'killed' | 'stalled'): void => {
    outcome.endedBy ??= why;
    send('KILL');
    after(KILL_REPORT_MS, () => socket.destroy());
  };
  const onStop = (): void => {
    outcome.endedBy ??= 'asked';
    send('TERM');
    after(options.graceMs, () => {
      kill('killed');
    });
  };
  const onKill = (): void => {
    kill('killed');
  };
  const stall = after(options.stallMs, () => {
    kill('stalled');
  });
  if (options.stop.aborted) onStop();
  if (options.kill.aborted) onKill();
  options.stop.addEventListener('abort', onStop);
  options.kill.addEventListener('abort', onKill);
  return {
    advanced: () => stall.refresh(),
    end: () => {
      for (const timer of timers) clearTimeout(timer);
      options.stop.removeEventListener('abort', onStop);
      options.kill.removeEventListener('abort', onKill);
    },
  };
}
