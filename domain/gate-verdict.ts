import { percentRange, points, pointsRange, pointsThreshold, share, threshold } from './figures.ts';
import type { CriterionVerdict, GateCriterion, Verdict } from './gate-types.ts';
import { invalid } from './invalid.ts';
import type { Answer, EvaluatedItem } from './records.ts';
import {
  binomialP,
  detectableGain,
  detectableShare,
  holm,
  itemsForGain,
  itemsForShare,
  mcnemarP,
  pairedInterval,
  wilson,
} from './statistics.ts';
import type { Interval, PairedCounts } from './statistics.ts';

/** Evaluated items by role; a gain needs its other side, on the same items. */
export type GateItems = {
  candidate: readonly EvaluatedItem[];
  phaseA?: readonly EvaluatedItem[] | undefined;
  phaseB?: readonly EvaluatedItem[] | undefined;
  noDraft?: readonly EvaluatedItem[] | undefined;
};

/**
 * Pass: the interval clears the threshold. Fail: it rules it out. With a two-sided confidence of 95 % each errs in at
 * most about 2.5 % of the cases at the threshold.
 */
export const verdictOf = ({ low, high }: Pick<Interval, 'low' | 'high'>, atLeast: number): Verdict =>
  low >= atLeast ? 'pass' : high < atLeast ? 'fail' : 'inconclusive';

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

const settling = (verdict: Verdict, needed: number | null, n: number): string =>
  verdict === 'inconclusive' && needed !== null ? `; about ${Math.max(needed, n + 1)} items would settle it` : '';

const interval = (confidence: number): string => `${threshold(confidence)} interval`;

function judgeShare(criterion: GateCriterion, successes: number, n: number, what: string): CriterionVerdict {
  const { atLeast, confidence } = criterion;
  const { estimate, low, high } = wilson(successes, n, confidence);
  const verdict = verdictOf({ low, high }, atLeast);
  const prefix = what === 'accuracy' ? '' : `${what} `;
  const found = `${prefix}${share(successes, n)}, ${interval(confidence)} ${percentRange(low, high)}`;
  return {
    criterion,
    verdict,
    estimate,
    low,
    high,
    n,
    counts: { successes },
    p: binomialP(successes, n, atLeast),
    detectable: detectableShare(n, atLeast, confidence),
    text: `${found}, asked ≥ ${threshold(atLeast)}: ${verdict}${settling(verdict, itemsForShare(estimate, atLeast, confidence), n)}`,
  };
}

type Side = { name: string; items: readonly { id: string; correct: boolean }[] };

function judgeGain(criterion: GateCriterion, candidate: readonly EvaluatedItem[], other: Side): CriterionVerdict {
  const { atLeast, confidence } = criterion;
  const counts = pairItems(candidate, other.items, other.name);
  const { estimate, low, high } = pairedInterval(counts, confidence);
  const verdict = verdictOf({ low, high }, atLeast);
  const right = (items: Side['items']): string => share(items.filter(({ correct }) => correct).length, items.length);
  const found = `${right(candidate)} against ${right(other.items)} ${other.name}: ${points(estimate)}, ${interval(confidence)} ${pointsRange(low, high)}`;
  return {
    criterion,
    verdict,
    estimate,
    low,
    high,
    n: counts.n,
    counts: { onlyNew: counts.onlyNew, onlyOld: counts.onlyOld },
    p: mcnemarP(counts),
    detectable: detectableGain(counts, confidence),
    text: `${found}, asked ≥ ${pointsThreshold(atLeast)}: ${verdict}${settling(verdict, itemsForGain(counts, atLeast, confidence), counts.n)}`,
  };
}

function sideOf(criterion: GateCriterion, items: GateItems): Side {
  if (criterion.metric === 'ablation-gain') {
    if (!items.noDraft) throw invalid('InvalidData', 'criterion ablation-gain needs the no-draft evaluation');
    return { name: 'without drafts', items: items.noDraft };
  }
  const over = criterion.over ?? 'majority';
  if (over === 'majority') {
    const { answer, items: always } = alwaysMajority(items.candidate);
    return { name: `by always answering ${answer}`, items: always };
  }
  const other = items[over];
  if (!other) throw invalid('InvalidData', `criterion gain over ${over} needs the evaluation of ${over}`);
  return { name: over === 'phaseA' ? 'of Phase A' : 'of Phase B', items: other };
}

/** What is wrong with a criterion, with the fix; null = nothing. For the check of a recipe. */
export function criterionProblem({ metric, over }: GateCriterion): string | null {
  if (metric === 'gain' && over === undefined) return 'metric gain needs over: majority, phaseA or phaseB';
  return metric !== 'gain' && over !== undefined ? `metric ${metric} takes no over (it says ${over}); remove it` : null;
}

function judgeCriterion(criterion: GateCriterion, items: GateItems): CriterionVerdict {
  const n = items.candidate.length;
  if (n === 0) throw invalid('InvalidData', 'the candidate evaluation has no items');
  if (criterion.metric === 'accuracy')
    return judgeShare(criterion, items.candidate.filter(({ correct }) => correct).length, n, 'accuracy');
  if (criterion.metric === 'parsable')
    return judgeShare(criterion, items.candidate.filter(({ answer }) => answer !== null).length, n, 'parsable');
  return judgeGain(criterion, items.candidate, sideOf(criterion, items));
}

/**
 * Holds every criterion against the evaluations.
 * - `accuracy`, `parsable`: Wilson interval; p of the exact binomial test against the threshold.
 * - `gain`, `ablation-gain`: Tango interval on the same items; p of the exact McNemar test against no gain. A gain over
 *   `majority` is paired with always giving the most frequent true answer of these items.
 *
 * `pHolm` adjusts the p values over the gate. Verdicts stay with the intervals: a gate passes only when all criteria
 * pass, and such an intersection–union test needs no adjustment (Berger 1982), its false passes stay under those of one.
 *
 * @throws InvalidData when an evaluation is missing or not of the same items
 */
export function judgeCriteria(criteria: readonly GateCriterion[], items: GateItems): CriterionVerdict[] {
  const verdicts = criteria.map((criterion) => judgeCriterion(criterion, items));
  const adjusted = holm(verdicts.map(({ p }) => p));
  return verdicts.map((verdict, index) => ({ ...verdict, pHolm: adjusted[index] ?? null }));
}

/** Any fail → fail; all pass → pass; else inconclusive. */
export function overallVerdict(verdicts: readonly Pick<CriterionVerdict, 'verdict'>[]): Verdict {
  if (verdicts.some(({ verdict }) => verdict === 'fail')) return 'fail';
  return verdicts.length > 0 && verdicts.every(({ verdict }) => verdict === 'pass') ? 'pass' : 'inconclusive';
}
