import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { projectRoot } from '../../config/environment.ts';
import { sendSignal } from '../../infra/embedded/processes.ts';
import { readyFile } from '../../infra/embedded/records.ts';
import { projectNode } from '../../infra/embedded/services.ts';
import { childrenOf } from './gpu.ts';
import type { TestStack } from './stack.ts';

/** A gpu worker that nobody starts again, with disk and caches of its own: a host, as it were. */
export type GpuHost = {
  /** Its `RATCHET_HOME`. */
  home: string;
  /** Process id of the worker, which leases name. */
  pid: number;
  /** Process ids of all that run there. */
  processes: () => number[];
  /** To every process at once, as a hypervisor pauses, wakes or drops a machine. */
  signalAll: (signal: 'SIGSTOP' | 'SIGCONT' | 'SIGKILL') => void;
  /** It polls, with a warm trainer. */
  ready: Promise<void>;
  /** Kills what is left of it; resolves when it is gone. */
  end: () => Promise<void>;
};

/** Starts a worker beside those of the stack, on the stack's servers unless `extra` says otherwise. */
export function startGpuHost(stack: TestStack, name: string, extra: Record<string, string> = {}): GpuHost {
  const home = join(stack.home, name);
  mkdirSync(home);
  const readyMark = readyFile(home, 'gpu');
  const logFile = join(home, 'gpu.log');
  const log = openSync(logFile, 'a');
  const env = { ...stack.env, RATCHET_SERVICE: name, RATCHET_HOME: home, RATCHET_READY_FILE: readyMark, ...extra };
  const child = spawn(projectNode(), [join(projectRoot, 'workers', 'gpu.ts')], { env, stdio: ['ignore', log, log] });
  const ended = once(child, 'exit');
  const pid = child.pid ?? 0;
  const below = (parent: number): number[] => childrenOf(parent).flatMap((one) => [one, ...below(one)]);
  const processes = (): number[] => ((child.exitCode ?? child.signalCode) === null ? [pid, ...below(pid)] : []);
  const signalAll: GpuHost['signalAll'] = (signal) => {
    for (const one of processes()) sendSignal(one, signal);
  };
  const untilReady = async (): Promise<void> => {
    while (!existsSync(readyMark) || !readFileSync(logFile, 'utf8').includes('trainer is warm')) {
      if (child.exitCode !== null) throw new Error(readFileSync(logFile, 'utf8').slice(-2_000));
      await delay(50);
    }
  };
  return {
    ...{ home, pid, processes, signalAll },
    ready: untilReady(),
    end: async () => {
      signalAll('SIGKILL');
      await ended;
    },
  };
}
