import { setTimeout as delay } from 'node:timers/promises';
import { liveRecord } from '../../infra/embedded/records.ts';
import { childrenOf } from './gpu.ts';
import type { TrainingHandle, TrainingStack } from './training-stack.ts';

/** What dies: the process of the job, the fork server with it, or the whole gpu worker. */
export type Victim = 'job' | 'fork server' | 'worker';

/** A kill: what, and how long after the attempt's first step. */
export type Kill = { victim: Victim; afterMs: number };

/** Process id of a part of the stack's gpu worker; undefined where there is none just now. */
export function pidOf(home: string, victim: Victim): number | undefined {
  const worker = liveRecord(home, 'gpu')?.pid;
  if (worker === undefined || victim === 'worker') return worker;
  const [server] = childrenOf(worker);
  if (server === undefined || victim === 'fork server') return server;
  return childrenOf(server)[0];
}

/**
 * Kills parts of the stack's gpu worker with SIGKILL while it trains, each time in the middle of an attempt: after its
 * first step, so that no attempt is lost for nothing.
 *
 * @returns kills that met a running job, when the training has ended
 */
export async function killWhileTraining(
  stack: TrainingStack,
  handle: TrainingHandle,
  kills: Iterable<Kill>,
): Promise<number> {
  const ended = new AbortController();
  const end = handle
    .result()
    .catch(() => undefined)
    .finally(() => {
      ended.abort();
    });
  let met = 0;
  let attempt = 0;
  for (const { victim, afterMs } of kills) {
    attempt = await untilSteps(stack, handle.workflowId, attempt, ended.signal);
    await Promise.race([delay(afterMs), end]);
    if (ended.signal.aborted) break;
    const job = pidOf(stack.home, 'job');
    const pid = pidOf(stack.home, victim);
    if (job === undefined || pid === undefined) continue;
    process.kill(pid, 'SIGKILL');
    met += 1;
  }
  await end;
  return met;
}

/**
 * Resolves with the start of an attempt that has made a step, or when the training has ended.
 *
 * @param after start of the attempt that was killed last
 */
async function untilSteps(stack: TrainingStack, run: string, after: number, ended: AbortSignal): Promise<number> {
  while (!ended.aborted) {
    const progress = await stack.progress(run);
    if (progress?.loss !== undefined && progress.startedAt > after) return progress.startedAt;
    await delay(50);
  }
  return after;
}
