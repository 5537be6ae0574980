import binomialCdf from '@stdlib/stats-base-dists-binomial-cdf';
import { total, yesShare } from './data-report.ts';
import { percent, percentRange, points, pointsRange, share } from './figures.ts';
import { alwaysMajority, pairItems } from './gate-verdict.ts';
import type { Finding, Remedies } from './gate-types.ts';
import { countItems } from './evaluation.ts';
import type { Answer, ClassCounts, DataReport, DataStep, EvaluatedItem, PhaseName } from './records.ts';
import type { RemediableRecipe } from './remedies.ts';
import { pairedInterval, wilson } from './statistics.ts';
import { forgetting, lossNotFalling, notMeasured, overFitting } from './training-diagnosis.ts';
import type { Losses } from './training-diagnosis.ts';

/** From which size on a cause counts as found; all fractions. */
export const diagnosisThresholds = {
  /** Shift of the share of yes between source and training rows. */
  imbalanceShift: 0.05,
  /** Share of the source rows removed by filters. */
  filteredShare: 0.2,
  /** Share of generations ended by the token limit. */
  truncatedShare: 0.05,
  /** Share of one answer among the readable ones, and by how much it must exceed the truth's share. */
  collapsedShare: 0.8,
  collapsedExcess: 0.1,
  confidence: 0.95,
};

export type DiagnosisInput = {
  gate: PhaseName;
  candidate: readonly EvaluatedItem[];
  /** The candidate adapter asked with and without reasoning, on the same items; absent = not measured. */
  withReasoning?: readonly EvaluatedItem[] | undefined;
  withoutReasoning?: readonly EvaluatedItem[] | undefined;
  /** The model that this phase went on from, asked without reasoning; absent = not measured. */
  control?: readonly EvaluatedItem[] | undefined;
  /** Of the phase's training; absent = not measured. */
  losses?: Losses | undefined;
  dataReport: DataReport;
  trainedTemplateDigest: string;
  candidateTemplateDigest: string;
  phaseB: RemediableRecipe['phaseB'];
};

const filters: readonly string[] = ['drop-disagreements', 'keep-all', 'consensus'];

/** The filter's own step; rows that sampling or holding out left aside are not lost to filtering. */
const filterStep = ({ steps }: DataReport): DataStep | undefined =>
  steps.findLast(({ name }) => filters.includes(name));

/** What the filter was given and what was trained on in the end. */
function corpusEnds(report: DataReport): { source: ClassCounts; trained: ClassCounts } | null {
  const last = report.steps.at(-1);
  const first = filterStep(report);
  return first === undefined || last === undefined ? null : { source: first.before, trained: last.after };
}

const noneReadable = 'none of the answers was readable';

function classImbalance({ candidate, dataReport, phaseB }: DiagnosisInput): Finding {
  const cause = 'class-imbalance';
  const ends = corpusEnds(dataReport);
  if (ends === null || total(ends.source) === 0 || total(ends.trained) === 0)
    return notMeasured(cause, 'the report of the data has no counts of a filter');
  const items = countItems(candidate);
  const readable = items.n - items.unparsable;
  if (readable === 0) return notMeasured(cause, noneReadable);
  const trainedYes = phaseB.balance === 'weighted-loss' ? 0.5 : yesShare(ends.trained);
  const sourceYes = yesShare(ends.source);
  const predictedNo = 1 - items.predictedYes / readable;
  const truthNo = 1 - items.truthYes / items.n;
  // A balanced corpus may well differ from an unbalanced source: that is no fault of it.
  const shifted = Math.abs(trainedYes - sourceYes) >= diagnosisThresholds.imbalanceShift;
  const found = phaseB.balance === 'none' && shifted;
  return {
    cause,
    found,
    text: `yes is ${percent(trainedYes)} of the training rows and ${percent(sourceYes)} of the source; no is ${percent(predictedNo)} of the answers given and ${percent(truthNo)} of the right ones`,
    numbers: { trainedYes, sourceYes, predictedNo, truthNo },
    remedies: found ? { balance: 'upsample' } : {},
  };
}

/** Expected share of a class that a majority of k attempts keeps, when each errs with `error` on its own; ties lose. */
const consensusKeeps = (error: number, k: number): number => binomialCdf(Math.ceil(k / 2) - 1, k, error);

function consensusRemedy(lost: ClassCounts, before: ClassCounts, phaseB: RemediableRecipe['phaseB']): Remedies {
  if (phaseB.filtering !== 'drop-disagreements') return {};
  const attempts = Math.max(3, phaseB.consensusAttempts);
  const gains = (['yes', 'no'] as const).map((answer: Answer) => {
    const error = before[answer] === 0 ? 0 : lost[answer] / before[answer];
    return consensusKeeps(error, attempts) - (1 - error);
  });
  // Where an attempt is wrong more often than right, a majority is wrong still more often.
  return gains.every((gain) => gain >= 0) ? { filtering: 'consensus', consensusAttempts: attempts } : {};
}

const sum = (counts: readonly ClassCounts[]): ClassCounts => ({
  yes: counts.reduce((all, { yes }) => all + yes, 0),
  no: counts.reduce((all, { no }) => all + no, 0),
});

function lostToFiltering({ dataReport, phaseB }: DiagnosisInput): Finding {
  const removals = filterStep(dataReport)?.removed ?? [];
  const cause = 'lost-to-filtering';
  const before = corpusEnds(dataReport)?.source;
  if (before === undefined || total(before) === 0)
    return notMeasured(cause, 'the report of the data has no counts of a filter');
  const lost = sum(removals.map(({ counts }) => counts));
  const disagreed = sum(removals.filter(({ reason }) => reason === 'disagreed').map(({ counts }) => counts));
  const removedShare = total(lost) / total(before);
  const found = removedShare >= diagnosisThresholds.filteredShare;
  const reasons = removals.map(
    ({ reason, counts }) =>
      `${total(counts)} ${reason}: ${counts.yes} of ${before.yes} yes, ${counts.no} of ${before.no} no`,
  );
  return {
    cause,
    found,
    text: `filters removed ${share(total(lost), total(before))} of the rows${reasons.length === 0 ? '' : ` (${reasons.join('; ')})`}`,
    numbers: {
      removedShare,
      removedYes: lost.yes,
      removedNo: lost.no,
      disagreedYes: disagreed.yes,
      disagreedNo: disagreed.no,
    },
    remedies: found ? consensusRemedy(disagreed, before, phaseB) : {},
  };
}

function formatMismatch(input: DiagnosisInput): Finding {
  const { n, truncated, unparsable } = countItems(input.candidate);
  const found = input.trainedTemplateDigest !== input.candidateTemplateDigest;
  const digests = `${input.trainedTemplateDigest.slice(0, 12)} and ${input.candidateTemplateDigest.slice(0, 12)}`;
  const outputs = `${share(truncated, n)} of the answers were truncated and ${share(unparsable, n)} unparsable`;
  return {
    cause: 'format-mismatch',
    found,
    text: found
      ? `trained and evaluated with different templates (${digests}); ${outputs}`
      : `trained and evaluated with the same template (${input.trainedTemplateDigest.slice(0, 12)}); ${outputs}`,
    numbers: { sameTemplate: found ? 0 : 1, truncatedShare: truncated / n, unparsableShare: unparsable / n },
    remedies: found ? { sharedTemplate: true } : {},
  };
}

function noCotBenefit({ withReasoning, withoutReasoning, phaseB }: DiagnosisInput): Finding {
  const cause = 'no-cot-benefit';
  if (!withReasoning?.length || !withoutReasoning?.length)
    return notMeasured(cause, 'needs the adapter asked with and without reasoning');
  const counts = pairItems(withReasoning, withoutReasoning, 'the same adapter without reasoning');
  const { estimate, low, high } = pairedInterval(counts, diagnosisThresholds.confidence);
  const found = low <= 0;
  const right = (items: readonly EvaluatedItem[]): string =>
    share(items.filter(({ correct }) => correct).length, items.length);
  return {
    cause,
    found,
    text: `${right(withReasoning)} with reasoning, ${right(withoutReasoning)} without: ${points(estimate)}, 95 % interval ${pointsRange(low, high)}`,
    numbers: { benefit: estimate, low, high, onlyWith: counts.onlyNew, onlyWithout: counts.onlyOld, n: counts.n },
    remedies: found ? longerTraining(phaseB) : {},
  };
}

/** The recipe's own idea of training longer, else twice the epochs at half the rate with early stopping. */
function longerTraining(phaseB: RemediableRecipe['phaseB']): Remedies {
  const asRecipe = phaseB.longerTraining;
  if (asRecipe === undefined)
    return {
      learningRate: phaseB.learningRate / 2,
      epochs: phaseB.epochs * 2,
      earlyStopping: phaseB.earlyStopping ?? { patienceEpochs: 2, heldOutShare: 0.1 },
    };
  const { epochs, learningRate, earlyStopping } = asRecipe;
  return { epochs, learningRate, ...(earlyStopping ? { earlyStopping } : {}) };
}

function answerCollapse({ gate, candidate, phaseB }: DiagnosisInput): Finding {
  const { n, unparsable, predictedYes, truthYes } = countItems(candidate);
  const readable = n - unparsable;
  const cause = 'answer-collapse';
  if (readable === 0) return notMeasured(cause, noneReadable);
  const most = Math.max(predictedYes, readable - predictedYes);
  const majorityShare = most / readable;
  const truthShare = Math.max(truthYes, n - truthYes) / n;
  const { collapsedShare, collapsedExcess } = diagnosisThresholds;
  const found = majorityShare >= collapsedShare && majorityShare - truthShare >= collapsedExcess;
  return {
    cause,
    found,
    text: `${share(most, readable)} of the answers are ${predictedYes * 2 > readable ? 'yes' : 'no'}; the most frequent right answer has ${percent(truthShare)}`,
    numbers: { majorityShare, truthShare },
    remedies: found && gate === 'B' && phaseB.balance === 'none' ? { balance: 'upsample' } : {},
  };
}

function truncation({ candidate }: DiagnosisInput): Finding {
  const { n, truncated } = countItems(candidate);
  const found = truncated / n >= diagnosisThresholds.truncatedShare;
  return {
    cause: 'truncation',
    found,
    text: `${share(truncated, n)} of the answers ended by the token limit${found ? '; raise evaluation.maxNewTokens' : ''}`,
    numbers: { truncatedShare: truncated / n },
    remedies: {},
  };
}

function atMajority({ candidate }: DiagnosisInput): Finding {
  const { answer, items } = alwaysMajority(candidate);
  const counts = pairItems(candidate, items, 'the most frequent answer');
  const { estimate, low, high } = pairedInterval(counts, diagnosisThresholds.confidence);
  const correct = candidate.filter((item) => item.correct).length;
  const accuracy = wilson(correct, candidate.length, diagnosisThresholds.confidence);
  return {
    cause: 'at-majority',
    found: low <= 0,
    text: `${share(correct, candidate.length)} (95 % interval ${percentRange(accuracy.low, accuracy.high)}) against ${share(items.filter((item) => item.correct).length, items.length)} by always answering ${answer}: ${points(estimate)}, 95 % interval ${pointsRange(low, high)}`,
    numbers: { gainOverMajority: estimate, low, high, n: counts.n },
    remedies: {},
  };
}

/** Remedies change Phase B alone, so only Gate B recommends them. */
const remediable = ({ gate, phaseB }: DiagnosisInput) => (gate === 'B' ? phaseB : null);
const notLearning = ({ losses }: DiagnosisInput): Finding => lossNotFalling(losses);
const overFitted = (input: DiagnosisInput): Finding => overFitting(input.losses, remediable(input));
const forgotten = (input: DiagnosisInput): Finding =>
  forgetting(input.withoutReasoning, input.control, remediable(input));

const causesOf: Readonly<Record<PhaseName, readonly ((input: DiagnosisInput) => Finding)[]>> = {
  A: [atMajority, answerCollapse, truncation, notLearning, overFitted],
  B: [
    classImbalance,
    lostToFiltering,
    formatMismatch,
    noCotBenefit,
    answerCollapse,
    truncation,
    notLearning,
    overFitted,
    forgotten,
  ],
  // The loss of Phase C changes with its schedule, so its course says nothing.
  C: [formatMismatch, noCotBenefit, answerCollapse, truncation, forgotten],
};

/**
 * Every known cause of a gate's phase with its number: found, ruled out, or not measured. Remedies only from those found and only
 * where they change something; those of `truncation` are for people, since no remedy raises a token limit.
 */
export const diagnose = (input: DiagnosisInput): Finding[] => causesOf[input.gate].map((examine) => examine(input));
