import { Context } from '@temporalio/activity';
import type { TrainerProgress } from '../contract.ts';

/** Often enough for the shortest heartbeat timeout of a recipe; the SDK sends fewer. */
const beatMs = 500;

/** Heartbeats with progress until `end`, whether rows come or not: a slow teacher is not a lost worker. */
export function trackProgress(
  total: number,
  label: string,
  money: () => Pick<TrainerProgress, 'spentUsd' | 'unansweredUsd'> = () => ({}),
): { advance: (rows?: number) => void; done: () => number; end: () => void } {
  const context = Context.current();
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
    end: () => {
      clearInterval(timer);
      beat();
    },
  };
}
