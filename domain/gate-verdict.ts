import { figure, percent, percentRange, points, pointsRange, pointsThreshold, share, threshold } from './figures.ts';
import { failureWords } from './failed-experiment.ts';
import type { CriterionVerdict, FailedExperiment, GateCriterion, GateMetric, Verdict } from './gate-types.ts';
import { invalid } from './invalid.ts';
import { winRate } from './judging.ts';
import type { PairCounts } from './judging.ts';
import { detectableMean, itemsForMean, meanP, sampleOf } from './means.ts';
import type { Answer, EvaluatedItem } from './records.ts';
import { levelOf, ruleGain, ruleMean, ruleShare, verdictOf } from './rulings.ts';
import type { Asked, Ruling } from './rulings.ts';
import {
  binomialP,
  detectableGain,
  detectableShare,
  holm,
  itemsForGain,
  itemsForShare,
  mcnemarP,
} from './statistics.ts';
import type { PairedCounts } from './statistics.ts';

/** Evaluated items by role; a gain needs its other side, on the same items. */
export type GateItems = {
  candidate: readonly EvaluatedItem[];
  phaseA?: readonly EvaluatedItem[] | undefined;
  phaseB?: readonly EvaluatedItem[] | undefined;
  /** The model that a later round of Phase C started from. */
  phaseC?: readonly EvaluatedItem[] | undefined;
  noDraft?: readonly EvaluatedItem[] | undefined;
  shuffledDraft?: readonly EvaluatedItem[] | undefined;
  /** Share of the attribution that lies on the draft, of some of the candidate's items. */
  attribution?: readonly { id: string; share: number }[] | undefined;
  /** Verdicts on the clarifying questions of the candidate's adapter. */
  questionQuality?: PairCounts | undefined;
  /** Experiments that failed: their criteria are not measured. */
  failed?: readonly FailedExperiment[] | undefined;
};

/** Whether a metric is a difference, in points, and not a share. */
export const isGain = (metric: GateMetric): boolean => !['accuracy', 'parsable', 'attribution'].includes(metric);

/**
 * Pairs two evaluations by item id.
 *
 * @throws InvalidData when they are not of the same items: an unpaired comparison is refused, never computed
 */
export function pairItems(
  candidate: readonly { id: string; correct: boolean }[],
  other: readonly { id: string; correct: boolean }[],
  name: string,
): PairedCounts {
  const before = new Map(other.map((item) => [item.id, item.correct]));
  const unpaired = candidate.filter(({ id }) => !before.has(id));
  if (unpaired.length > 0 || before.size !== candidate.length || other.length !== candidate.length) {
    const example = unpaired[0] === undefined ? '' : `, for example ${unpaired[0].id}`;
    throw invalid(
      'InvalidData',
      `the candidate (${candidate.length} items) and ${name} (${other.length} items) are not of the same items${example}; evaluate both on one set`,
    );
  }
  return {
    onlyNew: candidate.filter(({ id, correct }) => correct && before.get(id) === false).length,
    onlyOld: candidate.filter(({ id, correct }) => !correct && before.get(id) === true).length,
    n: candidate.length,
  };
}

/** The answer that most items have, and the evaluation of always giving it; ties go to `no`. */
export function alwaysMajority(items: readonly EvaluatedItem[]): {
  answer: Answer;
  items: { id: string; correct: boolean }[];
} {
  const yes = items.filter(({ truth }) => truth === 'yes').length;
  const answer: Answer = yes > items.length - yes ? 'yes' : 'no';
  return { answer, items: items.map(({ id, truth }) => ({ id, correct: truth === answer })) };
}

const settling = ({ verdict }: Ruling, needed: number | null, n: number): number | null =>
  verdict === 'inconclusive' && needed !== null ? Math.max(needed, n + 1) : null;
/** Two-sided confidence that one look has to reach. */
const plannedFor = (asked: Asked): number => 1 - 2 * levelOf(asked);
const settlingText = (settledBy: number | null): string =>
  settledBy === null ? '' : `; about ${settledBy} items would settle it`;

const interval = (confidence: number): string => `${threshold(confidence)} interval`;

/** Where the three ways to look at a result differ, the difference is said; the verdict is the strictest of them. */
function disagreement({ verdict, interval: { low, high }, exact, bootstrap }: Ruling, atLeast: number): string {
  if (verdict === 'inconclusive' && verdictOf({ low, high }, atLeast) === 'pass')
    return `: the interval clears it, the exact test does not (p = ${figure(exact.p)}, at most ${figure(exact.level)})`;
  return verdict === 'pass' && bootstrap !== undefined && bootstrap.low < atLeast
    ? `; the paired bootstrap does not clear it: ${pointsRange(bootstrap.low, bootstrap.high)}`
    : '';
}

/** What a verdict is made of, the same for a share and a gain. */
const judged = ({ verdict, interval: { estimate, low, high }, exact, bootstrap }: Ruling) => ({
  verdict,
  estimate,
  low,
  high,
  exact,
  ...(bootstrap === undefined ? {} : { bootstrap: { low: bootstrap.low, high: bootstrap.high } }),
});

function judgeShare(asked: Asked, criterion: GateCriterion, successes: number, n: number): CriterionVerdict {
  const { atLeast, confidence, metric } = criterion;
  const ruling = ruleShare(successes, n, asked);
  const { verdict, interval: found } = ruling;
  const measured = `${metric === 'accuracy' ? '' : `${metric} `}${share(successes, n)}, ${interval(confidence)} ${percentRange(found.low, found.high)}`;
  const settledBy = settling(ruling, itemsForShare(found.estimate, atLeast, plannedFor(asked)), n);
  return {
    criterion,
    ...judged(ruling),
    n,
    counts: { successes },
    p: binomialP(successes, n, atLeast),
    settledBy,
    detectable: detectableShare(n, atLeast, confidence),
    text: `${measured}, asked ≥ ${threshold(atLeast)}: ${verdict}${disagreement(ruling, atLeast)}${settlingText(settledBy)}`,
  };
}

type Side = { name: string; items: readonly { id: string; correct: boolean }[] };

/** @param own what is held against `other`; its name is empty where it is the candidate */
function judgeGain(asked: Asked, criterion: GateCriterion, own: Side, other: Side): CriterionVerdict {
  const { atLeast, confidence } = criterion;
  const counts = pairItems(own.items, other.items, other.name);
  const ruling = ruleGain(counts, asked);
  const { verdict, interval: found } = ruling;
  const right = (items: Side['items']): string => share(items.filter(({ correct }) => correct).length, items.length);
  const measured = `${right(own.items)}${own.name === '' ? '' : ` ${own.name}`} against ${right(other.items)} ${other.name}: ${points(found.estimate)}, ${interval(confidence)} ${pointsRange(found.low, found.high)}`;
  const settledBy = settling(ruling, itemsForGain(counts, atLeast, plannedFor(asked)), counts.n);
  return {
    criterion,
    ...judged(ruling),
    n: counts.n,
    counts: { onlyNew: counts.onlyNew, onlyOld: counts.onlyOld },
    p: mcnemarP(counts),
    settledBy,
    detectable: detectableGain(counts, confidence),
    text: `${measured}, asked ≥ ${pointsThreshold(atLeast)}: ${verdict}${disagreement(ruling, atLeast)}${settlingText(settledBy)}`,
  };
}

/** What could not be measured is open: neither is it shown to be reached, nor ruled out. More held-out questions do not settle it. */
const unmeasured = (criterion: GateCriterion, why: string): CriterionVerdict => ({
  criterion,
  verdict: 'inconclusive',
  estimate: 0,
  low: isGain(criterion.metric) ? -1 : 0,
  high: 1,
  n: 0,
  counts: { successes: 0 },
  p: null,
  settledBy: null,
  detectable: 1,
  text: `${criterion.metric}${criterion.over === undefined ? '' : ` over ${criterion.over}`} not measured: ${why}: inconclusive`,
});

/**
 * Wins minus losses, as a gain on the same items. More held-out questions do not settle it, since its items are those of
 * `judge.items`; nor is it looked at again with an extension, so that it spends the error of one look.
 */
function judgeQuality(criterion: GateCriterion, compared: PairCounts | undefined): CriterionVerdict {
  if (!compared?.items) return unmeasured(criterion, 'it needs the verdicts of a judge');
  const { atLeast, confidence } = criterion;
  const { wins, losses, items: n } = compared;
  const counts = { onlyNew: wins, onlyOld: losses, n };
  const asked = { atLeast, confidence, looks: 1 };
  const ruling = ruleGain(counts, asked);
  const { verdict, interval: found } = ruling;
  const needed = settling(ruling, itemsForGain(counts, atLeast, plannedFor(asked)), n);
  const measured = `question quality: ${wins} wins, ${losses} losses of ${n} (win rate ${percent(winRate(compared, confidence).estimate)}): ${points(found.estimate)}, ${interval(confidence)} ${pointsRange(found.low, found.high)}`;
  const settled = needed === null ? '' : `; judge.items of about ${needed} would settle it`;
  return {
    criterion,
    ...judged(ruling),
    n,
    counts: { onlyNew: wins, onlyOld: losses },
    p: mcnemarP(counts),
    settledBy: null,
    detectable: detectableGain(counts, confidence),
    text: `${measured}, asked ≥ ${pointsThreshold(atLeast)}: ${verdict}${disagreement(ruling, atLeast)}${settled}`,
  };
}

function judgeMean(
  asked: Asked,
  criterion: GateCriterion,
  { candidate, attribution }: Pick<GateItems, 'candidate' | 'attribution'>,
): CriterionVerdict {
  if (!attribution || attribution.length < 2)
    return unmeasured(criterion, 'it needs attributions of two answers of the candidate, or more');
  const evaluated = new Set(candidate.map(({ id }) => id));
  const stray = attribution.find(({ id }) => !evaluated.has(id));
  if (stray !== undefined)
    throw invalid('InvalidData', `attributed item ${stray.id} is none of the candidate's; attribute its own answers`);
  const { atLeast, confidence } = criterion;
  const sample = sampleOf(attribution.map(({ share: part }) => part));
  const ruling = ruleMean(sample, asked);
  const { verdict, interval: found } = ruling;
  const { n } = sample;
  const settledBy = settling(ruling, itemsForMean(sample, atLeast, plannedFor(asked)), n);
  const measured = `${percent(found.estimate)} of the attribution on the draft (${n} answers), ${interval(confidence)} ${percentRange(found.low, found.high)}`;
  return {
    criterion,
    ...judged(ruling),
    n,
    counts: { deviation: sample.deviation },
    p: meanP(sample, atLeast),
    settledBy,
    detectable: detectableMean(sample, confidence),
    text: `${measured}, asked ≥ ${threshold(atLeast)}: ${verdict}${settlingText(settledBy)}`,
  };
}

const candidateOf = ({ candidate }: GateItems): Side => ({ name: '', items: candidate });

const withoutDrafts = ({ noDraft }: GateItems): Side | string =>
  noDraft ? { name: 'without drafts', items: noDraft } : 'it needs the no-draft evaluation';

/** What a gain is the gain of, and over what; in words where that was not evaluated. */
function sidesOf(criterion: GateCriterion, items: GateItems): [own: Side | string, other: Side | string] {
  if (criterion.metric === 'ablation-gain') return [candidateOf(items), withoutDrafts(items)];
  if (criterion.metric !== 'shuffle-drop') return [candidateOf(items), baseOf(criterion, items)];
  const own = criterion.over === 'no-draft' ? withoutDrafts(items) : candidateOf(items);
  if (!items.shuffledDraft) return [own, 'it needs the shuffled-draft evaluation'];
  return [own, { name: 'with the drafts of other questions', items: items.shuffledDraft }];
}

const earlierNames = { phaseA: 'of Phase A', phaseB: 'of Phase B', phaseC: 'of the round before' };

function baseOf(criterion: GateCriterion, items: GateItems): Side | string {
  const over = criterion.over ?? 'majority';
  if (over === 'majority') {
    const { answer, items: always } = alwaysMajority(items.candidate);
    return { name: `by always answering ${answer}`, items: always };
  }
  const other = over === 'full-draft' || over === 'no-draft' ? undefined : items[over];
  if (!other) return `it needs the evaluation of ${over}`;
  return { name: earlierNames[over as keyof typeof earlierNames], items: other };
}

function judgeCriterion(criterion: GateCriterion, items: GateItems, looks: number): CriterionVerdict {
  const failed = items.failed?.find(({ name }) => name === criterion.metric);
  if (failed) return unmeasured(criterion, failureWords(failed));
  if (criterion.metric === 'question-quality') return judgeQuality(criterion, items.questionQuality);
  const n = items.candidate.length;
  if (n === 0) throw invalid('InvalidData', 'the candidate evaluation has no items');
  const asked = { atLeast: criterion.atLeast, confidence: criterion.confidence, looks };
  const count = (holds: (item: EvaluatedItem) => boolean): number => items.candidate.filter(holds).length;
  if (criterion.metric === 'accuracy')
    return judgeShare(
      asked,
      criterion,
      count(({ correct }) => correct),
      n,
    );
  if (criterion.metric === 'parsable')
    return judgeShare(
      asked,
      criterion,
      count(({ answer }) => answer !== null),
      n,
    );
  if (criterion.metric === 'attribution') return judgeMean(asked, criterion, items);
  const [own, other] = sidesOf(criterion, items);
  if (typeof own === 'string') return unmeasured(criterion, own);
  return typeof other === 'string' ? unmeasured(criterion, other) : judgeGain(asked, criterion, own, other);
}

/**
 * Holds every criterion against the evaluations.
 * - `accuracy`, `parsable`: Wilson interval and exact binomial test; `p` is two-sided against the threshold.
 * - `question-quality`: as a gain, of wins over losses.
 * - `attribution`: Student's t of the mean share, on those of the candidate's items that were attributed.
 * - `gain`, `ablation-gain`, `shuffle-drop`: Tango interval, exact test and paired bootstrap on the same items; `p` is McNemar's,
 *   two-sided against no gain. A gain over `majority` is paired with always giving the most frequent true answer.
 *
 * `pHolm` adjusts the p values over the gate. Verdicts stay unadjusted: a gate passes only when all criteria
 * pass, and such an intersection–union test needs no adjustment (Berger 1982), its false passes stay under those of one.
 * A criterion whose evaluation is missing is inconclusive, with the reason.
 *
 * @param looks how often this gate may be judged, extensions counted; each spends its part of the error
 * @throws InvalidData when evaluations are not of the same items, or the candidate's has none
 */
export function judgeCriteria(criteria: readonly GateCriterion[], items: GateItems, looks = 1): CriterionVerdict[] {
  const verdicts = criteria.map((criterion) => judgeCriterion(criterion, items, looks));
  const adjusted = holm(verdicts.map(({ p }) => p));
  return verdicts.map((verdict, index) => ({ ...verdict, pHolm: adjusted[index] ?? null }));
}

/** Any fail → fail; all pass → pass; else inconclusive. */
export function overallVerdict(verdicts: readonly Pick<CriterionVerdict, 'verdict'>[]): Verdict {
  if (verdicts.some(({ verdict }) => verdict === 'fail')) return 'fail';
  return verdicts.length > 0 && verdicts.every(({ verdict }) => verdict === 'pass') ? 'pass' : 'inconclusive';
}
