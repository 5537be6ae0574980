/**
 * What interruptions cost: pure arithmetic over what each attempt at a training wrote down. An attempt is one epoch of
 * its lease; every epoch but the last was lost in some way.
 */

/**
 * Why an attempt ended before its result. notice = its worker was told to go; host-lost = it fell silent, or its trainer
 * was killed; lease-lost = another attempt took over; infrastructure = storage, disk or trainer failed and it was retried.
 */
export const lossKinds = ['notice', 'host-lost', 'lease-lost', 'stalled', 'out-of-memory', 'infrastructure'] as const;
export type LossKind = (typeof lossKinds)[number];

/** Losses that are nobody's fault, and are retried without limit. */
export const isPreemption = (kind: LossKind): boolean =>
  kind === 'notice' || kind === 'host-lost' || kind === 'lease-lost';

/** What is known of one attempt. Times are Unix milliseconds; null where nobody could write them down. */
export type AttemptTimes = {
  epoch: number;
  /** Step it went on from; null when it was lost before it knew. */
  resumed: number | null;
  /** Highest step it reported. */
  reached: number;
  startedAt: number | null;
  firstStepAt: number | null;
  lastStepAt: number | null;
  /** Last sign of life of its trainer, or of its worker where that fell silent too. */
  aliveAt: number | null;
  /** Null: it runs, it finished, or it was lost without a word. `budget`: at the cap, and so not lost at all. */
  ended: LossKind | 'budget' | null;
};

/** One lost attempt. Null = not known, or not over yet. */
export type Loss = {
  epoch: number;
  kind: LossKind;
  /**
   * From its last sign of life to the first step of the attempt after it. Where that one was lost before any step, to
   * its own loss, which counts from there on: no second counts twice.
   */
  secondsToNextStep: number | null;
  /** Steps that the attempt after it had to do again. */
  stepsRedone: number;
  /** Time that redoing took, at the pace at which the lost attempt had done them. */
  secondsRedoing: number | null;
  /** That waited and worked again. */
  gpus: number;
};

/** Sums over the lost attempts at one training, as far as known. */
export type TrainingLedger = {
  lost: number;
  byKind: Partial<Record<LossKind, number>>;
  /** Those of `lost` that were nobody's fault. */
  preemptions: number;
  stepsRedone: number;
  secondsToNextStep: number;
  /** Redone work and waiting for the first step after each loss. */
  gpuSecondsLost: number;
};

/** Sums over all trainings of a run. */
export type RunLedger = TrainingLedger & { usdLost: number };

/**
 * The losses before the attempt `epoch`, which runs or has finished.
 *
 * @param attempts in any order; those that could write nothing are missing
 * @param gpus that the training uses
 */
export function lossesOf(attempts: readonly AttemptTimes[], epoch: number, gpus = 1): Loss[] {
  const known = new Map(attempts.map((attempt) => [attempt.epoch, attempt]));
  return Array.from({ length: epoch - 1 }, (_, index) => index).flatMap((index): Loss[] => {
    const lost = known.get(index + 1);
    if (lost?.ended === 'budget') return [];
    const next = known.get(index + 2);
    const from = lostAt(lost, next);
    const until = next?.firstStepAt ?? (index + 2 < epoch ? lostAt(next, known.get(index + 3)) : null);
    const stepsRedone = redone(lost, attempts);
    const pace = secondsPerStep(lost) ?? secondsPerStep(next);
    const kind = lost?.ended ?? 'host-lost';
    return [
      {
        epoch: index + 1,
        kind,
        secondsToNextStep: from === null || until === null ? null : Math.max(0, until - from) / 1000,
        stepsRedone,
        secondsRedoing: stepsRedone === 0 ? 0 : pace === null ? null : stepsRedone * pace,
        gpus,
      },
    ];
  });
}

/**
 * A trainer that hangs was lost at its last step. A sleeper that wakes up late and shows signs of life again was lost
 * when its successor began.
 */
function lostAt(lost: AttemptTimes | undefined, next: AttemptTimes | undefined): number | null {
  if (lost === undefined) return null;
  const aliveAt = lost.ended === 'stalled' ? (lost.lastStepAt ?? lost.startedAt) : lost.aliveAt;
  return aliveAt === null ? null : Math.min(aliveAt, next?.startedAt ?? Infinity);
}

/** Against the first later attempt that knew where it went on from. */
function redone(lost: AttemptTimes | undefined, attempts: readonly AttemptTimes[]): number {
  if (lost === undefined) return 0;
  const after = attempts
    .filter(({ epoch, resumed }) => epoch > lost.epoch && resumed !== null)
    .sort((a, b) => a.epoch - b.epoch)[0];
  return Math.max(0, lost.reached - (after?.resumed ?? Infinity));
}

/** Over the steps after the first; null where there were fewer than two. */
function secondsPerStep(attempt: AttemptTimes | undefined): number | null {
  if (attempt === undefined) return null;
  const { firstStepAt, lastStepAt, reached, resumed } = attempt;
  const steps = reached - (resumed ?? reached) - 1;
  return firstStepAt === null || lastStepAt === null || steps < 1 ? null : (lastStepAt - firstStepAt) / 1000 / steps;
}

/** GPU time that a loss cost, as far as known. */
export const gpuSecondsOf = ({ secondsToNextStep, secondsRedoing, gpus }: Loss): number =>
  ((secondsToNextStep ?? 0) + (secondsRedoing ?? 0)) * gpus;

export const usdOf = (gpuSeconds: number, gpuHourUsd: number): number => (gpuSeconds / 3600) * gpuHourUsd;

export function ledgerOf(losses: readonly Loss[]): TrainingLedger {
  const sum = (part: (loss: Loss) => number): number => losses.reduce((total, loss) => total + part(loss), 0);
  return {
    lost: losses.length,
    byKind: countKinds(losses.map(({ kind }) => ({ [kind]: 1 }))),
    preemptions: losses.filter(({ kind }) => isPreemption(kind)).length,
    stepsRedone: sum(({ stepsRedone }) => stepsRedone),
    secondsToNextStep: sum(({ secondsToNextStep }) => secondsToNextStep ?? 0),
    gpuSecondsLost: sum(gpuSecondsOf),
  };
}

function countKinds(parts: readonly TrainingLedger['byKind'][]): TrainingLedger['byKind'] {
  const counts = lossKinds.map((kind) => [kind, parts.reduce((total, part) => total + (part[kind] ?? 0), 0)] as const);
  return Object.fromEntries(counts.filter(([, count]) => count > 0));
}

/** The part of a phase's record that counts here. Runs of older versions have no `ledger`: kinds and times unknown. */
export type AccountedAttempt = { losses: number; stepsRedone: number; ledger?: TrainingLedger | undefined };

const ledgerOfAttempt = ({ losses, stepsRedone, ledger }: AccountedAttempt): TrainingLedger =>
  ledger ?? { lost: losses, byKind: {}, preemptions: 0, stepsRedone, secondsToNextStep: 0, gpuSecondsLost: 0 };

/**
 * @param finished attempts at phases that are over
 * @param inFlight what the trainings that run now know
 * @param gpuHourUsd price of one GPU-hour
 */
export function runLedger(
  finished: readonly AccountedAttempt[],
  inFlight: readonly TrainingLedger[],
  gpuHourUsd: number,
): RunLedger {
  const parts = [...finished.map(ledgerOfAttempt), ...inFlight];
  const sum = (part: (ledger: TrainingLedger) => number): number => parts.reduce((total, one) => total + part(one), 0);
  const gpuSecondsLost = sum((ledger) => ledger.gpuSecondsLost);
  return {
    lost: sum((ledger) => ledger.lost),
    byKind: countKinds(parts.map(({ byKind }) => byKind)),
    preemptions: sum((ledger) => ledger.preemptions),
    stepsRedone: sum((ledger) => ledger.stepsRedone),
    secondsToNextStep: sum((ledger) => ledger.secondsToNextStep),
    gpuSecondsLost,
    usdLost: usdOf(gpuSecondsLost, gpuHourUsd),
  };
}
