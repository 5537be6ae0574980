import type { Recipe } from '../../config/recipe.ts';
import type { TrainerEvent } from '../../config/trainer-job.ts';
import { roomOf, toleranceUsd } from '../../domain/budget.ts';
import type { BudgetNews, BudgetRoom } from '../../domain/budget.ts';
import { usdOf } from '../../domain/ledger.ts';
import { failureOfStop } from './supervision.ts';
import type { Supervision } from './supervision.ts';

/** GPU time as money, over all tries at a job: ends the job while that still fits under the cap. */
export type GpuMeter = {
  /** @throws BudgetExceeded when nothing is left, before anything is begun */
  demandRoom: () => void;
  /** Time counts from here. */
  begin: () => void;
  seen: (event: TrainerEvent) => void;
  /** The trainer is gone: there is nothing left to end. */
  end: () => void;
  /** GPU-seconds up to now, of earlier tries as well. */
  gpuSeconds: () => number;
};

export type GpuMeterOptions = {
  recipe: Recipe;
  /** Of the activity's input. */
  budget: BudgetRoom | undefined;
  gpus: number;
  /** GPU-seconds of earlier tries at the same job. */
  earlierGpuSeconds: number;
  supervision: Supervision;
  /**
   * How a job is ended: it is asked to save, or comes to the end of its batch. A stretch is so many steps or items long
   * (`units`), or as many steps as take so many seconds.
   */
  stretch: { endsWith: 'save' | 'batch'; units: number } | { endsWith: 'save'; seconds: number };
};

const LOOK_EVERY_MS = 250;
/** Before anybody knows how long they take. */
const UNKNOWN_SAVE_SECONDS = 3;
const UNKNOWN_BATCH_SECONDS = 1;
const UNKNOWN_STRETCH_SECONDS = 60;
/** Saves and batches differ: one is taken to last at most so many times as long as those before. */
const SAFETY = 2;

/** Where GPU time costs nothing it only counts. */
export function createGpuMeter(options: GpuMeterOptions): GpuMeter {
  const { recipe, gpus, earlierGpuSeconds, supervision } = options;
  const { gpuHourUsd } = recipe.budget;
  const { capUsd, spentUsd } = roomOf(recipe, options.budget);
  const pace = trackPace(options.stretch);
  let startedAt: number | null = null;
  let timer: NodeJS.Timeout | undefined;
  const ownSeconds = (): number => (startedAt === null ? 0 : (Date.now() - startedAt) / 1000);
  const gpuSeconds = (): number => earlierGpuSeconds + ownSeconds() * gpus;
  const nowUsd = (seconds = 0): number => spentUsd + usdOf(gpuSeconds() + seconds * gpus, gpuHourUsd);
  const news = (): BudgetNews => {
    const rest = pace.restSeconds();
    return {
      cost: { gpuSeconds: gpuSeconds() },
      nextUsd: usdOf(pace.stretchSeconds() * gpus, gpuHourUsd),
      restUsd: rest === null ? null : usdOf(rest * gpus, gpuHourUsd),
    };
  };
  const look = (): void => {
    supervision.report({ spentUsd: nowUsd() });
    if (nowUsd(pace.endSeconds()) > capUsd) supervision.end({ capUsd, news });
  };
  return {
    demandRoom: () => {
      if (gpuHourUsd > 0 && nowUsd() + toleranceUsd >= capUsd) throw failureOfStop({ capUsd, news }, null);
    },
    begin: () => {
      startedAt = Date.now();
      pace.begin();
      if (gpuHourUsd > 0) timer = setInterval(look, LOOK_EVERY_MS);
    },
    seen: pace.seen,
    end: () => {
      clearInterval(timer);
    },
    gpuSeconds,
  };
}

/** What the end, the next stretch and the rest may take, as far as this try has seen. */
function trackPace(stretch: GpuMeterOptions['stretch']) {
  let startedAt = Date.now();
  let first: { at: number; done: number } | null = null;
  let last = { at: 0, done: 0, total: 0 };
  let savedSeconds: number | null = null;
  const unitSeconds = (): number | null =>
    first === null || last.done === first.done ? null : (last.at - first.at) / 1000 / (last.done - first.done);
  const startSeconds = (): number => ((first?.at ?? Date.now()) - startedAt) / 1000;
  const advanced = (done: number, total: number): void => {
    last = { at: Date.now(), done, total };
    first ??= { at: last.at, done };
  };
  const endSeconds = (): number => {
    const unit = unitSeconds();
    if (stretch.endsWith === 'batch') return SAFETY * (unit === null ? UNKNOWN_BATCH_SECONDS : stretch.units * unit);
    return SAFETY * ((unit ?? 0) + (savedSeconds ?? UNKNOWN_SAVE_SECONDS));
  };
  const secondsOf = (todo: number): number | null => {
    const unit = unitSeconds();
    return unit === null ? null : startSeconds() + SAFETY * todo * unit + endSeconds();
  };
  const stretchUnits = (): number =>
    'units' in stretch
      ? stretch.units
      : Math.min(Math.ceil(stretch.seconds / (unitSeconds() ?? stretch.seconds)), last.total - last.done);
  return {
    begin: (): void => {
      startedAt = Date.now();
    },
    seen: (event: TrainerEvent): void => {
      if (event.event === 'step') advanced(event.step, event.totalSteps);
      else if (event.event === 'generated') advanced(event.done, event.total);
      else if (event.event === 'checkpoint') savedSeconds = event.seconds + event.writeSeconds;
    },
    endSeconds,
    stretchSeconds: (): number => secondsOf(stretchUnits()) ?? UNKNOWN_STRETCH_SECONDS,
    restSeconds: (): number | null => secondsOf(last.total - last.done),
  };
}
