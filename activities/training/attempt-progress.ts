import { z } from 'zod';
import { lossKinds } from '../../domain/ledger.ts';
import type { AttemptTimes } from '../../domain/ledger.ts';
import { inParallel } from '../store/parallel.ts';
import type { Store } from '../store/store.ts';

const time = z.number().nullable().default(null);

/**
 * What one attempt (epoch) writes down of itself: `progress/epoch-0002.json` beside the lease. For the ledger; nothing
 * is decided by it, and nobody waits for it to be written. Times in Unix milliseconds.
 */
const AttemptProgress = z.object({
  resumed: z.int().nullable().describe('Step that the attempt started from.'),
  reached: z.int().describe('Highest step it reported.'),
  gpuSeconds: z.number(),
  startedAt: time,
  firstStepAt: time,
  lastStepAt: time,
  aliveAt: time,
  ended: z
    .enum([...lossKinds, 'budget'])
    .nullable()
    .default(null)
    .describe('Why it ended early, where it could still say so.'),
  heard: z
    .object({ epoch: z.int(), reached: z.int(), aliveAt: z.number() })
    .nullable()
    .default(null)
    .describe('What Temporal had last heard of an earlier attempt, which may be newer than what that one wrote.'),
});
export type AttemptProgress = z.infer<typeof AttemptProgress>;

const WRITE_EVERY_MS = 2_000;
const READS_AT_ONCE = 8;
const folder = (prefix: string): string => `${prefix}/progress/`;
const keyOf = (prefix: string, epoch: number): string =>
  `${folder(prefix)}epoch-${String(epoch).padStart(4, '0')}.json`;

/** The current attempt's own progress. */
export type TrackedAttempt = {
  epoch: number;
  now: () => AttemptProgress;
  /** Training begins, from this step. */
  began: (resumed: number) => void;
  /** The trainer said something; a number is a step that it has done. */
  seen: (step: number | null) => void;
  /** Writes the last state; resolves when it is there, or could not be. */
  finish: (ended: AttemptTimes['ended']) => Promise<void>;
};

/** Writes the progress of the current attempt, at most every 2 s and never two writes at once. */
export function trackAttempt(
  store: Store,
  prefix: string,
  epoch: number,
  heard: AttemptProgress['heard'],
  gpus: number,
): TrackedAttempt {
  const startedAt = Date.now();
  const gpuSeconds = (): number => ((Date.now() - startedAt) / 1000) * gpus;
  const current: AttemptProgress = {
    ...{ resumed: null, reached: 0, gpuSeconds: 0, startedAt, firstStepAt: null, lastStepAt: null },
    ...{ aliveAt: startedAt, ended: null, heard },
  };
  let writing: Promise<unknown> = Promise.resolve();
  let busy = false;
  let writtenAt = 0;
  const write = (): void => {
    busy = true;
    writtenAt = Date.now();
    current.gpuSeconds = gpuSeconds();
    // An outage must not disturb training; the numbers of the ledger are then a little low.
    writing = store
      .putJson(keyOf(prefix, epoch), current)
      .catch(() => undefined)
      .finally(() => (busy = false));
  };
  write();
  return {
    epoch,
    now: () => ({ ...current, gpuSeconds: gpuSeconds() }),
    began: (resumed) => {
      current.resumed = resumed;
      current.reached = Math.max(current.reached, resumed);
    },
    seen: (step) => {
      current.aliveAt = Date.now();
      if (step !== null) {
        current.reached = Math.max(current.reached, step);
        current.firstStepAt ??= current.aliveAt;
        current.lastStepAt = current.aliveAt;
      }
      if (!busy && current.aliveAt - writtenAt >= WRITE_EVERY_MS) write();
    },
    finish: async (ended) => {
      await writing;
      current.ended = ended;
      write();
      await writing;
    },
  };
}

/** An attempt with the GPU time that it took. */
export type AccountedEpoch = AttemptTimes & { gpuSeconds: number };

/** What all attempts wrote down, that of `current` from memory. */
export async function readAttempts(store: Store, prefix: string, current: TrackedAttempt): Promise<AccountedEpoch[]> {
  const keys = await store.objects.list(folder(prefix));
  const read = async (key: string) => {
    const epoch = Number(/epoch-(\d+)\.json$/.exec(key)?.[1] ?? NaN);
    if (epoch === current.epoch) return [];
    const progress = AttemptProgress.safeParse((await store.getJson(key))?.value).data;
    return progress === undefined || Number.isNaN(epoch) ? [] : [{ epoch, ...progress }];
  };
  const earlier = (await inParallel(keys, READS_AT_ONCE, read)).flat();
  return withCurrent(earlier, current);
}

type Written = { epoch: number } & AttemptProgress;

/** GPU-seconds of all attempts so far. */
export async function gpuSecondsSoFar(store: Store, prefix: string): Promise<number> {
  const keys = await store.objects.list(folder(prefix));
  const read = async (key: string) =>
    AttemptProgress.safeParse((await store.getJson(key))?.value).data?.gpuSeconds ?? 0;
  return (await inParallel(keys, READS_AT_ONCE, read)).reduce((sum, seconds) => sum + seconds, 0);
}

/** Joins what attempts wrote with what Temporal had heard of them. */
function withCurrent(earlier: readonly Written[], current: TrackedAttempt): AccountedEpoch[] {
  const all = [...earlier, { epoch: current.epoch, ...current.now() }];
  const heard = new Map(all.flatMap((attempt) => (attempt.heard ? [[attempt.heard.epoch, attempt.heard]] : [])));
  return all.map((attempt) => {
    const news = heard.get(attempt.epoch);
    if (news === undefined) return attempt;
    // A worker that could still say why it ended went on beating after its trainer was gone.
    const aliveAt = attempt.ended === null ? Math.max(attempt.aliveAt ?? 0, news.aliveAt) : attempt.aliveAt;
    const isFurther = news.reached > attempt.reached;
    return {
      ...{ ...attempt, aliveAt, reached: Math.max(attempt.reached, news.reached) },
      ...(isFurther && { lastStepAt: news.aliveAt }),
    };
  });
}
