import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { StackProblem } from './problem.ts';
import { endProcess, killLeftOvers, sendSignal, startTimeOf } from './processes.ts';
import { readyFile, removeRecord, writeRecord } from './records.ts';
import type { ProcessRecord } from './records.ts';
import type { Service } from './services.ts';

/** Something that happened to a service, in order. `text` is for people, e.g. `ready after 1.3 s`. */
export type StackEvent = {
  service: string;
  kind: 'starting' | 'ready' | 'died' | 'stopped';
  text: string;
};

/** Services under watch. */
export type Supervision = {
  /** Resolves when all are ready for the first time; rejects with a StackProblem if one of them cannot be started. */
  ready: Promise<void>;
  /** Ends all of them, dependants first. */
  stop: () => Promise<void>;
  /** Kills a service and keeps it away, as an outage does, until the answer is called. */
  takeAway: (name: string) => () => void;
};

const LARGEST_LOG_BYTES = 20_000_000;
const LONGEST_BACK_OFF_MS = 15_000;

/** Starts the services in the order of their needs and, once they have been ready, starts again whatever dies. */
export function supervise(
  home: string,
  services: readonly Service[],
  onEvent: (event: StackEvent) => void,
): Supervision {
  const stopping = new AbortController();
  const context: Context = { home, onEvent, stopping: stopping.signal };
  const watches = new Map<string, Watch>();
  for (const service of services) {
    const needs = [...watches]
      .filter(([name]) => service.after.some((need) => need === name))
      .map(([, one]) => one.ready);
    watches.set(service.name, watch(context, service, Promise.all(needs)));
  }
  const ready = Promise.all([...watches.values()].map((one) => one.ready)).then(() => undefined);
  return {
    ready,
    takeAway: (name) => {
      const one = watches.get(name);
      if (!one) throw new StackProblem(`${name} is not a service of this stack.`, 'Start the stack with it.');
      return one.takeAway();
    },
    stop: async () => {
      stopping.abort();
      const isServer = (service: Service) => services.some((other) => other.after.includes(service.name));
      for (const layer of [services.filter((one) => !isServer(one)), services.filter(isServer)]) {
        const names = new Set<string>(layer.map((service) => service.name));
        await Promise.all([...watches].filter(([name]) => names.has(name)).map(([, one]) => one.end()));
      }
    },
  };
}

type Context = { home: string; onEvent: (event: StackEvent) => void; stopping: AbortSignal };
type Watch = { ready: Promise<void>; end: () => Promise<void>; takeAway: () => () => void };

function watch(context: Context, service: Service, needs: Promise<unknown>): Watch {
  const { home, onEvent, stopping } = context;
  const state: { running?: Running; loop?: Promise<void>; away?: Promise<undefined> | undefined } = {};
  const isStopping = () => stopping.aborted;
  const begin = (restarts: number) => start(context, service, restarts, (running) => (state.running = running));
  const keepAlive = async (): Promise<void> => {
    for (let restarts = 1, quickDeaths = 0, sinceMs = performance.now(); ; restarts += 1) {
      const how = await state.running?.exited;
      if (isStopping()) return;
      quickDeaths = performance.now() - sinceMs < 60_000 ? quickDeaths + 1 : 1;
      const backOffMs = Math.min(250 * 2 ** (quickDeaths - 1), LONGEST_BACK_OFF_MS);
      const text = `${how ?? 'ended'}; starting it again in ${backOffMs / 1000} s`;
      onEvent({ service: service.name, kind: 'died', text });
      await sleep(backOffMs, undefined, { signal: stopping }).catch(() => undefined);
      if (state.away) await Promise.race([state.away, whenAborted(stopping)]);
      if (isStopping()) return;
      sinceMs = performance.now();
      // A start that fails has ended the process, so that the next round sees its end and tries again.
      await begin(restarts).catch(() => undefined);
    }
  };
  const ready = needs.then(async () => {
    if (isStopping()) return;
    await begin(0);
    state.loop = keepAlive();
  });
  const end = async (): Promise<void> => {
    await ready.catch(() => undefined);
    const { running } = state;
    if (running) {
      const killed = await endProcess(running.record.pid, running.record.startTime, service.graceMs);
      await running.exited;
      onEvent({ service: service.name, kind: 'stopped', text: killed ? 'killed: it did not end in time' : 'stopped' });
    }
    await state.loop;
    removeRecord(home, service.name);
  };
  const takeAway = (): (() => void) => {
    const away = Promise.withResolvers<undefined>();
    state.away = away.promise;
    if (state.running) sendSignal(state.running.record.pid, 'SIGKILL');
    return () => {
      state.away = undefined;
      away.resolve(undefined);
    };
  };
  return { ready, end, takeAway };
}

const whenAborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => {
      resolve();
    });
  });

type Running = { record: ProcessRecord; exited: Promise<string> };

/** Starts a service and waits until its probe is content. */
async function start(
  { home, onEvent, stopping }: Context,
  service: Service,
  restarts: number,
  onSpawned: (running: Running) => void,
): Promise<void> {
  const startMs = performance.now();
  const running = launch(home, service, restarts);
  onSpawned(running);
  onEvent({ service: service.name, kind: 'starting', text: `starting (process ${running.record.pid})` });
  const exits: string[] = [];
  void running.exited.then((how) => exits.push(how));
  let lastFailure = '';
  while (!stopping.aborted && exits.length === 0) {
    try {
      await service.probe(running.record.pid);
      writeRecord(home, { ...running.record, state: 'ready' });
      const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
      onEvent({ service: service.name, kind: 'ready', text: `ready after ${seconds} s` });
      return;
    } catch (error) {
      lastFailure = error instanceof Error ? error.message : String(error);
      if (performance.now() - startMs > service.readyWithinMs) break;
      await sleep(50);
    }
  }
  if (stopping.aborted) return;
  const why = exits[0] ?? `is not ready after ${service.readyWithinMs / 1000} s (${lastFailure})`;
  await endProcess(running.record.pid, running.record.startTime, service.graceMs);
  throw new StackProblem(`${service.name} ${why}.${logTail(running.record.logFile)}`, `See ${running.record.logFile}`);
}

function launch(home: string, service: Service, restarts: number): Running {
  const logFile = join(home, 'logs', `${service.name}.log`);
  const log = openLog(logFile);
  rmSync(readyFile(home, service.name), { force: true });
  const [file, ...args] = service.argv;
  let child: ChildProcess;
  try {
    // A session of its own: Ctrl-C on the terminal must reach the supervisor alone, which then ends all in order.
    child = spawn(file, args, { env: service.env, detached: true, stdio: ['ignore', log, log], cwd: home });
  } finally {
    closeSync(log);
  }
  const pid = child.pid ?? 0;
  const record: ProcessRecord = {
    name: service.name,
    pid,
    startTime: startTimeOf(pid) ?? 'ended at once',
    argv: service.argv,
    ports: Object.fromEntries(service.ports.map(({ name, port }) => [name, port])),
    state: 'starting',
    startedAt: new Date().toISOString(),
    restarts,
    logFile,
    graceMs: service.graceMs,
  };
  writeRecord(home, record);
  const exited = new Promise<string>((resolve) => {
    child.once('error', (error) => {
      resolve(`could not be started: ${error.message}`);
    });
    child.once('exit', (code, signal) => {
      killLeftOvers(home, service.name, pid);
      resolve(signal === null ? `ended with exit code ${code ?? 0}` : `was ended by ${signal}`);
    });
  });
  return { record, exited };
}

/** Opened for appending; a log that has grown large is put aside first, and the one put aside before is dropped. */
export function openLog(logFile: string): number {
  mkdirSync(join(logFile, '..'), { recursive: true });
  if ((statSync(logFile, { throwIfNoEntry: false })?.size ?? 0) > LARGEST_LOG_BYTES) {
    renameSync(logFile, `${logFile}.old`);
  }
  return openSync(logFile, 'a');
}

function logTail(logFile: string): string {
  const lines = readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-8);
  return lines.join('') === '' ? '' : `\n    ${lines.join('\n    ')}`;
}
