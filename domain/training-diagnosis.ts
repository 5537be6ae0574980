import { pairItems } from './gate-verdict.ts';
import type { Finding } from './gate-types.ts';
import { points, pointsRange, share } from './figures.ts';
import { meanOf } from './means.ts';
import type { EvaluatedItem } from './records.ts';
import type { RemediableRecipe } from './remedies.ts';
import { pairedInterval } from './statistics.ts';

/** Faults that show in the course of a training or on what the model could do before it. */

/** Losses in nats per supervised token, in order of steps. `heldOut` is empty where nothing was held out. */
export type Losses = {
  training: readonly { step: number; loss: number }[];
  heldOut: readonly { step: number; loss: number }[];
};

/** From which size on a cause counts as found. */
export const trainingThresholds = {
  /** A training whose loss fell by less than this share of where it began has not learnt. */
  fallenShare: 0.05,
  /** Rise of the held-out loss above its lowest, as a share of that. */
  risenShare: 0.05,
  /** Fewer points than this say nothing about a course. */
  leastPoints: 5,
  confidence: 0.95,
};

/** Of a check that lacks its numbers. */
export const notMeasured = (cause: Finding['cause'], why: string): Finding => ({
  cause,
  found: null,
  text: `not measured: ${why}`,
  numbers: {},
  remedies: {},
});

/** Means of the first and the last fifth: single steps are too noisy to compare. */
function ends(losses: Losses['training']): { first: number; last: number } {
  const fifth = Math.max(1, Math.floor(losses.length / 5));
  const values = losses.map(({ loss }) => loss);
  return { first: meanOf(values.slice(0, fifth)), last: meanOf(values.slice(-fifth)) };
}

const nats = (loss: number): string => loss.toFixed(3);

/** The training loss did not fall: the learning rate is too low or too high, or the rows contradict each other. */
export function lossNotFalling(losses: Losses | undefined): Finding {
  const cause = 'loss-not-falling';
  if (losses === undefined || losses.training.length < trainingThresholds.leastPoints)
    return notMeasured(cause, 'too few steps');
  const { first, last } = ends(losses.training);
  const fallen = (first - last) / first;
  if (!Number.isFinite(fallen)) return notMeasured(cause, 'the training loss is no number');
  const found = fallen < trainingThresholds.fallenShare;
  return {
    cause,
    found,
    text: `the training loss went from ${nats(first)} to ${nats(last)} nats per token${found ? '; look at the learning rate and at rows that contradict each other' : ''}`,
    numbers: { first, last, fallen },
    remedies: {},
  };
}

/** The held-out loss rose again while the training loss went on falling. */
export function overFitting(losses: Losses | undefined, phaseB: RemediableRecipe['phaseB'] | null): Finding {
  const cause = 'over-fitting';
  if (losses === undefined || losses.heldOut.length < 2 || losses.training.length < trainingThresholds.leastPoints)
    return notMeasured(cause, 'nothing was held out, or too few epochs');
  const lowest = losses.heldOut.reduce((best, point) => (point.loss < best.loss ? point : best));
  const last = losses.heldOut.at(-1) ?? lowest;
  const risen = (last.loss - lowest.loss) / lowest.loss;
  const before = losses.training.filter(({ step }) => step <= lowest.step);
  const after = losses.training.filter(({ step }) => step > lowest.step);
  if (!Number.isFinite(risen)) return notMeasured(cause, 'the held-out loss is no number');
  const hasBoth = before.length > 0 && after.length > 0;
  if (risen >= trainingThresholds.risenShare && !hasBoth)
    return notMeasured(
      cause,
      `no training loss on both sides of step ${lowest.step}, where the held-out loss was lowest`,
    );
  const fell = hasBoth && ends(after).last < ends(before).last;
  const found = risen >= trainingThresholds.risenShare && fell;
  return {
    cause,
    found,
    text: `the held-out loss was lowest at step ${lowest.step} (${nats(lowest.loss)}) and ended at ${nats(last.loss)}, while the training loss ${fell ? 'fell on' : 'did not fall on'}`,
    numbers: { lowest: lowest.loss, lowestStep: lowest.step, last: last.loss, risen },
    remedies: found && phaseB !== null ? { learningRate: phaseB.learningRate / 2 } : {},
  };
}

/**
 * What the model could do before and lost: direct answers, asked of the candidate and of the model it was trained from,
 * on the same items.
 */
export function forgetting(
  candidate: readonly EvaluatedItem[] | undefined,
  before: readonly EvaluatedItem[] | undefined,
  phaseB: RemediableRecipe['phaseB'] | null,
): Finding {
  const cause = 'forgetting';
  if (!candidate?.length || !before?.length) return notMeasured(cause, 'needs both models asked directly');
  const counts = pairItems(candidate, before, 'the model before');
  const { estimate, low, high } = pairedInterval(counts, trainingThresholds.confidence);
  const right = (items: readonly EvaluatedItem[]): string =>
    share(items.filter(({ correct }) => correct).length, items.length);
  const found = high < 0;
  return {
    cause,
    found,
    text: `asked directly ${right(candidate)}, ${right(before)} before this training: ${points(estimate)}, 95 % interval ${pointsRange(low, high)}`,
    numbers: { change: estimate, low, high, n: counts.n },
    remedies: found && phaseB !== null ? { learningRate: phaseB.learningRate / 2 } : {},
  };
}
