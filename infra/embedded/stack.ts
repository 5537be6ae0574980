import { fork } from 'node:child_process';
import { closeSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { assertPortsFree } from './ports.ts';
import { StackProblem, asDiskProblem } from './problem.ts';
import { endProcess, killLeftOvers, startTimeOf } from './processes.ts';
import { claimRecord, isAlive, liveRecord, readRecords, removeRecord, writeRecord } from './records.ts';
import type { ProcessRecord } from './records.ts';
import { makeHome } from './secret.ts';
import { describeServices, projectNode } from './services.ts';
import { root, stackSettings } from './settings.ts';
import type { Environment, ServiceName } from './settings.ts';
import { openLog, supervise } from './supervise.ts';
import type { StackEvent } from './supervise.ts';

/** How to start a stack. */
export type StackOptions = {
  /** The user's environment (with `.env` applied); default `process.env`. */
  env?: Environment;
  /** Services to choose from; default all that the environment asks for. */
  services?: readonly ServiceName[];
  /** Leave it to a process of its own, which outlives this one. */
  detach?: boolean;
  onEvent?: (event: StackEvent) => void;
  /** Gives up on a start that is under way; what was started is ended again. */
  signal?: AbortSignal;
};

/** A stack that is up. */
export type Stack = {
  home: string;
  /** False if this process does not hold it: it is detached, or was up already. */
  owned: boolean;
  /** Ends an owned stack; a stack that is not owned is left alone (see `stopStack`). */
  stop: () => Promise<void>;
  /**
   * Kills a service of an owned stack and keeps it away until the answer is called: an outage, for tests and drills.
   *
   * @throws StackProblem where this process does not hold the service
   */
  takeAway: (name: ServiceName) => () => void;
};

const SUPERVISOR = 'supervisor';

/**
 * Brings the stack up and returns when everything in it is ready; joins one that is up already at the same home.
 *
 * @throws StackProblem a taken port, a tool that is not installed, a service that does not start (with the end of its log)
 */
export async function startStack(options: StackOptions = {}): Promise<Stack> {
  const env = options.env ?? process.env;
  try {
    return await start(options, env, stackSettings(env).home);
  } catch (error) {
    throw asDiskProblem(error, resolve(root, env['RATCHET_HOME'] || '.ratchet'));
  }
}

async function start(options: StackOptions, env: Environment, home: string): Promise<Stack> {
  const joined = { home, owned: false, stop: () => Promise.resolve(), takeAway: notHeld };
  if (liveRecord(home, SUPERVISOR)) {
    await untilReady(home);
    return joined;
  }
  if (options.detach === true) {
    await startDetached(home, env, options);
    return joined;
  }
  makeHome(home);
  const services = describeServices(env, options.services);
  const record = supervisorRecord(home, Math.max(0, ...services.map((service) => service.graceMs)) + 20_000);
  if (!claimRecord(home, record)) return startStack(options);
  try {
    await endServices(home);
    await assertPortsFree(services.flatMap((service) => service.ports));
    const supervision = supervise(home, services, options.onEvent ?? (() => undefined));
    const stop = async () => {
      await supervision.stop();
      removeRecord(home, SUPERVISOR);
    };
    await Promise.race([supervision.ready, rejectOnAbort(options.signal)]).catch(async (error: unknown) => {
      await stop();
      throw error;
    });
    writeRecord(home, { ...record, state: 'ready' });
    return { home, owned: true, stop, takeAway: supervision.takeAway };
  } catch (error) {
    removeRecord(home, SUPERVISOR);
    throw error;
  }
}

const notHeld = (): never => {
  throw new StackProblem('Another process holds this stack.', 'Take services away where it was started.');
};

/**
 * Ends the stack of a home, whoever holds it: the supervisor in its own order, then whatever a killed supervisor left.
 * Only processes that the records name are touched, and only if their start time is the recorded one.
 *
 * @returns names of the processes that were running
 */
export async function stopStack(home: string): Promise<string[]> {
  const running = readRecords(home).filter(isAlive);
  const supervisor = running.find((record) => record.name === SUPERVISOR);
  if (supervisor) await endProcess(supervisor.pid, supervisor.startTime, supervisor.graceMs);
  removeRecord(home, SUPERVISOR);
  await endServices(home);
  return running.map((record) => record.name);
}

/** State of each process of a home; `running` is checked against the kernel, not only read. */
export function stackStatus(home: string): (ProcessRecord & { running: boolean })[] {
  return readRecords(home).map((record) => ({ ...record, running: isAlive(record) }));
}

/**
 * Listens for what tells a process to end: Ctrl-C, SIGTERM, a closed terminal. From the call on, none of these ends this
 * process by itself.
 *
 * @returns aborted with the signal's name as reason
 */
export function untilToldToEnd(): AbortSignal {
  const controller = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => {
      controller.abort(name);
    });
  }
  return controller.signal;
}

/** Services without a supervisor: workers first, then the servers that they use. */
async function endServices(home: string): Promise<void> {
  const records = readRecords(home).filter((record) => record.name !== SUPERVISOR);
  const isServer = ({ name }: ProcessRecord) => name === 'temporal' || name === 's3';
  const end = async (record: ProcessRecord) => {
    await endProcess(record.pid, record.startTime, record.graceMs);
    killLeftOvers(home, record.name, record.pid);
    removeRecord(home, record.name);
  };
  await Promise.all(records.filter((record) => !isServer(record)).map(end));
  await Promise.all(records.filter(isServer).map(end));
}

async function startDetached(home: string, env: Environment, options: StackOptions): Promise<void> {
  makeHome(home);
  const log = openLog(join(home, 'logs', 'supervisor.log'));
  const child = fork(join(import.meta.dirname, 'supervisor.ts'), options.services ?? [], {
    execPath: projectNode(),
    env: { ...env, RATCHET_HOME: home },
    detached: true,
    stdio: ['ignore', log, log, 'ipc'],
  });
  closeSync(log);
  const problem = await new Promise<StackProblem | undefined>((resolve) => {
    child.on('message', (message: SupervisorMessage) => {
      if (message.kind === 'event') options.onEvent?.(message.event);
      else resolve(message.kind === 'up' ? undefined : new StackProblem(message.what, message.fix));
    });
    child.once('exit', (code) => {
      resolve(new StackProblem(`The supervisor ended with exit code ${code ?? 0}.`, `See ${home}/logs/supervisor.log`));
    });
  });
  if (child.connected) child.disconnect();
  child.unref();
  if (problem) throw problem;
}

/** What a detached supervisor tells the process that started it, until the stack is up. */
export type SupervisorMessage =
  { kind: 'event'; event: StackEvent } | { kind: 'up' } | { kind: 'failed'; what: string; fix: string };

async function untilReady(home: string): Promise<void> {
  for (;;) {
    const record = liveRecord(home, SUPERVISOR);
    if (record?.state === 'ready') return;
    if (!record) throw new StackProblem('The stack that was starting has ended.', 'Start it again: ratchet up');
    await sleep(50);
  }
}

function rejectOnAbort(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_resolve, reject) => {
    const stopped = () => {
      reject(new StackProblem('Stopped while starting.', 'Start it again: ratchet up'));
    };
    if (signal?.aborted === true) stopped();
    signal?.addEventListener('abort', stopped, { once: true });
  });
}

function supervisorRecord(home: string, graceMs: number): ProcessRecord {
  return {
    name: SUPERVISOR,
    pid: process.pid,
    startTime: startTimeOf(process.pid) ?? '',
    argv: process.argv,
    ports: {},
    state: 'starting',
    startedAt: new Date().toISOString(),
    restarts: 0,
    logFile: join(home, 'logs', 'supervisor.log'),
    graceMs,
  };
}
