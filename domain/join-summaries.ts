import { invalid } from './invalid.ts';
import type { DataReport, EvaluationSummary } from './records.ts';

/**
 * Two evaluations of different items by the same adapter with the same prompt as one.
 *
 * @param items the rows of both
 * @throws InvalidData when they are not of the same adapter and prompt
 */
export function joinSummaries(
  before: EvaluationSummary,
  more: EvaluationSummary,
  items: EvaluationSummary['items'],
): EvaluationSummary {
  if (before.templateDigest !== more.templateDigest || before.adapterSha256 !== more.adapterSha256)
    throw invalid('InvalidData', `evaluation ${before.name} was extended with another prompt or adapter`);
  return {
    ...before,
    items,
    n: before.n + more.n,
    correct: before.correct + more.correct,
    unparsable: before.unparsable + more.unparsable,
    truncated: before.truncated + more.truncated,
    predictedYes: before.predictedYes + more.predictedYes,
    truthYes: before.truthYes + more.truthYes,
  };
}

type DraftReport = NonNullable<DataReport['drafts']>;

/** Counts of two sets of drafts as one. */
export const joinDraftReports = (before: DraftReport, more: DraftReport): DraftReport => ({
  ...((before.repaired ?? more.repaired) !== undefined && { repaired: (before.repaired ?? 0) + (more.repaired ?? 0) }),
  n: before.n + more.n,
  truncated: before.truncated + more.truncated,
  unparsable: before.unparsable + more.unparsable,
  lenient: before.lenient + more.lenient,
  correct: before.correct + more.correct,
});
