import { failureType } from '../failure.ts';
import type { Log } from '../logging.ts';
import type { Checkpoint } from './lease.ts';

/** A whole checkpoint on disk; `evalLoss` is the held-out loss as last measured before it. */
export type Saved = { step: number; directory: string; evalLoss?: number | null };

/**
 * Uploads behind training: at most one is on its way and one waits. A newer checkpoint takes the place of the waiting
 * one (which it supersedes), so neither the trainer nor the disk ever waits for S3.
 */
export type UploadQueue = {
  add: (saved: Saved) => void;
  /** Resolves when the newest checkpoint is in S3; rejects with the reason why it is not. */
  drain: () => Promise<void>;
  /** Newest committed one. */
  committed: () => Checkpoint | null;
};

export type UploadQueueOptions = {
  /** Uploads one; rejects when it did not come to count. */
  commit: (saved: Saved) => Promise<Checkpoint>;
  /** Told about checkpoints that will not be uploaded, or are uploaded and no longer the newest: disk to be freed. */
  superseded: (saved: Saved) => void;
  /** Told once when the lease is lost; nothing is uploaded after it. */
  lost: (reason: Error) => void;
  log: Log;
};

type State = {
  waiting: Saved | null;
  running: Promise<void> | null;
  newest: { saved: Saved; checkpoint: Checkpoint } | null;
  /** Why the last upload failed; null after a success. */
  failed: Error | null;
  over: boolean;
};

export function createUploadQueue(options: UploadQueueOptions): UploadQueue {
  const state: State = { waiting: null, running: null, newest: null, failed: null, over: false };

  const pump = (): void => {
    if (state.running !== null || state.waiting === null || state.over) return;
    const saved = state.waiting;
    state.waiting = null;
    state.running = uploadOne(state, options, saved).then(() => {
      state.running = null;
      // One that failed is tried again with the next checkpoint or by drain, not in a loop of its own.
      if (state.waiting !== saved) pump();
    });
  };
  const idle = async (): Promise<void> => {
    for (let current = state.running; current !== null; current = state.running) await current;
  };

  return {
    add: (saved) => {
      if (state.waiting !== null) {
        options.log.info(
          `step ${saved.step} is saved before step ${state.waiting.step} went up; only the newer one goes`,
        );
        options.superseded(state.waiting);
      }
      state.waiting = saved;
      pump();
    },
    drain: async () => {
      await idle();
      pump();
      await idle();
      if (state.failed !== null) throw state.failed;
    },
    committed: () => state.newest?.checkpoint ?? null,
  };
}

async function uploadOne(state: State, options: UploadQueueOptions, saved: Saved): Promise<void> {
  const { log } = options;
  const startedAt = Date.now();
  try {
    const checkpoint = await options.commit(saved);
    if (state.newest !== null) options.superseded(state.newest.saved);
    state.newest = { saved, checkpoint };
    state.failed = null;
    log.info(`checkpoint of step ${saved.step} is in S3`, { seconds: (Date.now() - startedAt) / 1000 });
  } catch (error) {
    state.failed = error instanceof Error ? error : new Error(String(error));
    if (failureType(error) === 'LeaseLost') {
      state.over = true;
      options.lost(state.failed);
      return;
    }
    // Unreachable is not dead: training goes on, and this one stays on disk until it or a newer one is up.
    log.warn(`checkpoint of step ${saved.step} did not reach S3, training goes on`, { reason: state.failed.message });
    if (state.waiting === null) state.waiting = saved;
    else options.superseded(saved);
  }
}
