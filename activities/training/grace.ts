import type { TrainerEvent } from '../../config/trainer-job.ts';
import type { Supervision } from './supervision.ts';

/** How long a step and a save take, as far as this attempt has seen. */
export type Pace = {
  seen: (event: TrainerEvent) => void;
  /** From a request to save until the checkpoint is whole, at most; null before the first save. */
  saveSeconds: () => number | null;
};

export function trackPace(): Pace {
  let lastStepAt: number | null = null;
  let step: number | null = null;
  let save: number | null = null;
  return {
    seen: (event) => {
      if (event.event === 'step') {
        if (lastStepAt !== null) step = event.time - lastStepAt;
        lastStepAt = event.time;
      } else if (event.event === 'checkpoint') {
        save = event.seconds + event.writeSeconds;
      }
    },
    // The request is heard at the end of the step that is under way.
    saveSeconds: () => (step === null || save === null ? null : step + save),
  };
}

/** What the trainer is told at a reason to stop. */
export type Ending = {
  /** Save and end. */
  stop: AbortSignal;
  /** End at once. */
  kill: AbortSignal;
  /** Why no save was asked for although there was notice; null otherwise. */
  skipped: () => string | null;
};

/**
 * A notice asks for a save where the grace is long enough for one. Where it is not, a save would be cut short by the
 * end of the host and could take the upload of the last whole checkpoint with it, so the trainer is ended at once.
 */
export function endWithin(graceMs: number, supervision: Supervision, pace: Pace): Ending {
  const stop = new AbortController();
  const kill = new AbortController();
  let skipped: string | null = null;
  const onStop = (): void => {
    const seconds = supervision.reason() === 'notice' ? pace.saveSeconds() : null;
    if (seconds === null || seconds * 1000 <= graceMs) {
      stop.abort();
      return;
    }
    skipped = `grace of ${rounded(graceMs / 1000)} s is too short for a save of ${rounded(seconds)} s`;
    kill.abort();
  };
  if (supervision.stop.aborted) onStop();
  else supervision.stop.addEventListener('abort', onStop);
  return {
    stop: stop.signal,
    kill: AbortSignal.any([kill.signal, supervision.kill]),
    skipped: () => skipped,
  };
}

const rounded = (seconds: number): string => String(Number(seconds.toPrecision(2)));
