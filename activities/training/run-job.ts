import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { TrainerEvent } from '../../config/trainer-job.ts';
import { failure } from '../failure.ts';

type EventOf<Kind extends TrainerEvent['event']> = Extract<TrainerEvent, { event: Kind }>;

/** How a job ended. `code` is null when the fork server went away under it. */
export type JobOutcome = {
  code: number | null;
  /** Signal number that killed it, if one did. */
  signal: number | null;
  result: EventOf<'result'> | null;
  error: EventOf<'error'> | null;
  /** Whether we ended it: asked (TERM), killed, or killed because it made no step. */
  endedBy: 'asked' | 'killed' | 'stalled' | null;
  /** True once a step or a generation was seen. */
  advanced: boolean;
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

const advances: ReadonlySet<string> = new Set(['step', 'generated', 'eval', 'checkpoint', 'result']);

/**
 * Runs one job on the fork server and follows its events to the end. Closing our end of the connection (by dying, for
 * one) kills the job.
 *
 * @param socketPath of the fork server
 * @param jobFile absolute path
 * @throws TrainerFailed when the server cannot be reached
 */
export async function runJob(socketPath: string, jobFile: string, options: JobOptions): Promise<JobOutcome> {
  const startedAt = Date.now();
  const socket = await connectTo(socketPath);
  const outcome: JobOutcome = {
    code: null,
    signal: null,
    result: null,
    error: null,
    endedBy: null,
    advanced: false,
    seconds: 0,
  };
  const control = controlJob(socket, options, outcome);
  socket.write(`${JSON.stringify({ job: jobFile })}\n`);
  try {
    for await (const line of createInterface({ input: socket, crlfDelay: Infinity })) {
      const event = parseEvent(line);
      if (event === null) continue;
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
  } catch (error) {
    // A connection that breaks is a server that died; its end is told by `code: null`.
    if (!isBroken(error)) throw error;
  } finally {
    control.end();
    socket.destroy();
    outcome.seconds = (Date.now() - startedAt) / 1000;
  }
  return outcome;
}

const isBroken = (error: unknown): boolean =>
  error instanceof Error &&
  'code' in error &&
  ['ECONNRESET', 'EPIPE', 'ERR_STREAM_PREMATURE_CLOSE'].includes(String(error.code));

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
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', (cause) => {
      reject(
        failure('TrainerFailed', `the trainer's fork server cannot be reached at ${path}: ${cause.message}`, { cause }),
      );
    });
  });
  // Later errors come out of the reading loop.
  socket.on('error', () => undefined);
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
