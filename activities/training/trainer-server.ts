import { spawn } from 'node:child_process';
import type { ChildProcessByStdio } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { failure } from '../failure.ts';
import type { Log } from '../logging.ts';
import { followOutput } from './program-output.ts';

/** The resident fork server of a worker: imports and base stay warm in it, so that a job starts in under a second. */
export type TrainerServer = {
  /** Socket to send jobs to; starts the server if it is not there or has died. @throws TrainerFailed */
  socket: () => Promise<string>;
  /** Process id of the running server, for supervision. */
  pid: () => number | undefined;
  /**
   * Kills the server of this socket, with its jobs, and forgets it even if it cannot die (in an uninterruptible sleep, say):
   * the next job starts another.
   */
  discard: (socket: string) => Promise<void>;
  /** Ends it and, with it, its jobs. */
  stop: () => Promise<void>;
};

type Running = { process: ChildProcessByStdio<Writable, Readable, Readable>; socket: string; ended: Promise<string> };

/** From a polite end to SIGKILL, and from there until nobody waits any more. */
const STOP_MS = 5_000;
const KILLED_MS = 5_000;

/** Unix socket paths end at 108 bytes. */
const socketFolder = (): Promise<string> => mkdtemp(join(tmpdir().length < 60 ? tmpdir() : '/tmp', 'ratchet-'));

/**
 * @param options.preload folder of a base to load at the start, if any
 * @param options.readyWithinMs a cold import takes 6 to 16 s of CPU
 */
export function createTrainerServer(options: {
  python: string;
  preload?: string | undefined;
  log: Log;
  readyWithinMs?: number;
}): TrainerServer {
  let starting: Promise<Running> | null = null;
  let current: Running | null = null;
  const ending = new AbortController();

  const forget = (running: Running): void => {
    if (current !== running) return;
    // The next job starts another.
    starting = null;
    current = null;
  };
  const start = async (): Promise<Running> => {
    const running = await launch(options, ending.signal);
    current = running;
    void running.ended.then((how) => {
      options.log.warn(`the trainer's fork server ended (${how})`);
      forget(running);
    });
    return running;
  };
  const kill = async (running: Running): Promise<void> => {
    const { process: server } = running;
    server.kill('SIGKILL');
    if ((await within(KILLED_MS, running.ended)) !== 'late') return;
    // One that cannot die must not keep this process.
    server.unref();
    for (const pipe of [server.stdin, server.stdout, server.stderr]) pipe.destroy();
  };

  return {
    socket: async () => {
      starting ??= start();
      try {
        return (await starting).socket;
      } catch (error) {
        starting = null;
        throw error;
      }
    },
    pid: () => current?.process.pid,
    discard: async (socket) => {
      const running = current;
      if (running?.socket !== socket) return;
      options.log.warn("the trainer's fork server is replaced: it does not do what it should", {
        pid: running.process.pid,
      });
      forget(running);
      await kill(running);
    },
    stop: async () => {
      // One that still imports holds no job: nobody waits for it to be ready only to end it.
      if (current === null) ending.abort();
      const running = await starting?.catch(() => null);
      if (!running) return;
      running.process.stdin.end();
      if ((await within(STOP_MS, running.ended)) === 'late') await kill(running);
    },
  };
}

/** @returns `late` where it takes longer */
async function within<T>(ms: number, work: Promise<T>): Promise<T | 'late'> {
  const over = new AbortController();
  const late = delay(ms, 'late' as const, { signal: over.signal });
  late.catch(() => undefined);
  try {
    return await Promise.race([work, late]);
  } finally {
    over.abort();
  }
}

async function launch(options: Parameters<typeof createTrainerServer>[0], ending: AbortSignal): Promise<Running> {
  const { python, preload, log } = options;
  const folder = await socketFolder();
  const socket = join(folder, 'trainer.sock');
  const argv = [
    '-m',
    'ratchet_trainer',
    'serve',
    '--socket',
    socket,
    ...(preload === undefined ? [] : ['--preload', preload]),
  ];
  const startedAt = Date.now();
  const child = spawn(python, argv, { stdio: ['pipe', 'pipe', 'pipe'] });
  ending.addEventListener('abort', () => child.kill('SIGKILL'), { once: true });
  let lastWords = '';
  followOutput(child.stderr, (line) => {
    lastWords = `${lastWords}\n${line}`.slice(-2_000);
    log.debug(`trainer: ${line}`);
  });
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => {
      resolve(error.message);
    });
    child.once('exit', (code, signal) => {
      resolve(signal ?? `exit code ${code ?? '?'}`);
    });
  }).finally(() => rm(folder, { recursive: true, force: true }));

  const ready = new Promise<'ready'>((resolve) => {
    followOutput(child.stdout, (line) => {
      if (line.includes('"ready"')) resolve('ready');
      else log.info(`trainer: ${line}`);
    });
  });
  const limit = options.readyWithinMs ?? 180_000;
  const timeout = AbortSignal.timeout(limit);
  const late = new Promise<string>((resolve) => {
    timeout.addEventListener('abort', () => {
      resolve(`not ready after ${limit / 1000} s`);
    });
  });
  const outcome = await Promise.race([ready, ended, late]);
  if (outcome !== 'ready') {
    child.kill('SIGKILL');
    const fix = `try ${python} -m ratchet_trainer serve --socket /tmp/t.sock, or run npm run setup again`;
    throw failure('TrainerFailed', `the trainer did not start: ${outcome}${lastWords}; ${fix}`);
  }
  log.info('trainer is warm', { pid: child.pid, seconds: (Date.now() - startedAt) / 1000, preload });
  return { process: child, socket, ended };
}
