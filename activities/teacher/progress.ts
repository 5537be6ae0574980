import { Context } from '@temporalio/activity';
import type { TrainerProgress } from '../contract.ts';

/** Often enough for the shortest heartbeat timeout of a recipe; the SDK sends fewer. */
const beatMs = 500;

type Money = Pick<TrainerProgress, 'spentUsd' | 'unansweredUsd'>;

/** Heartbeats of an activity, from its beginning to its end. */
export type Progress = {
  advance: (rows?: number) => void;
  done: () => number;
  /** From now on tells this as well. */
  tell: (money: () => Money) => void;
  end: () => void;
};

/** Heartbeats with progress until `end`, whether rows come or not: a slow teacher is not a lost worker. */
export function trackProgress(total: number, label: string): Progress {
  const context = Context.current();
  // What the try before this one told must outlive one that is killed before it has anything to tell.
  const { unansweredUsd } = (context.info.heartbeatDetails as TrainerProgress | undefined) ?? {};
  let money = (): Money => (unansweredUsd === undefined ? {} : { unansweredUsd });
  const startedAt = Date.now();
  let done = 0;
  const beat = (): void => {
    const eta = done === 0 ? {} : { etaSeconds: Math.round(((Date.now() - startedAt) / 1000 / done) * (total - done)) };
    const progress: TrainerProgress = { kind: 'teacher', label, done, total, startedAt };
    context.heartbeat({ ...progress, ...eta, ...money() });
  };
  beat();
  const timer = setInterval(beat, beatMs);
  return {
    done: () => done,
    advance: (rows = 1) => {
      done += rows;
    },
    tell: (more) => {
      money = more;
    },
    end: () => {
      clearInterval(timer);
      beat();
    },
  };
}
