import type { CriterionVerdict, Extension, Finding, Recommendation, Remedies, Verdict } from './gate-types.ts';
import type { PhaseName } from './records.ts';
import { mergeRemedies } from './remedies.ts';

export type RecommendationInput = {
  gate: PhaseName;
  verdict: Verdict;
  criteria: readonly CriterionVerdict[];
  diagnosis: readonly Finding[];
  /** What `extend` would evaluate, where the gate offers it. */
  extension?: Extension | undefined;
  /** Of Phase C: from the second round on there is a model to stay with. */
  isLaterRound?: boolean;
  /** How many repetitions of the phase are still allowed. */
  fixesLeft: number;
};

/** The criterion that keeps the gate from passing: the first that failed, else the first inconclusive one. */
function obstacle(criteria: readonly CriterionVerdict[]): string {
  const failed = criteria.find(({ verdict }) => verdict === 'fail');
  const open = criteria.find(({ verdict }) => verdict === 'inconclusive');
  return (failed ?? open)?.text ?? 'no criterion was met';
}

const found = (diagnosis: readonly Finding[]): Finding[] => diagnosis.filter((finding) => finding.found === true);

const causes = (findings: readonly Finding[]): string =>
  findings.map(({ cause }) => cause.replaceAll('-', ' ')).join(', ') || 'no known cause';

function afterA({ verdict, criteria, diagnosis, fixesLeft }: RecommendationInput): Recommendation {
  const atMajority = found(diagnosis).find(({ cause }) => cause === 'at-majority');
  if (atMajority)
    return {
      choice: 'abort',
      reason: `The student knows no more than the most frequent answer, so later phases have nothing to build on: ${atMajority.text}.`,
    };
  if (fixesLeft > 0) {
    return {
      choice: 'retry',
      reason: `Better than the most frequent answer, but ${verdict === 'fail' ? 'below what was asked' : 'not yet shown to reach what was asked'} (${obstacle(criteria)}); train once more.`,
    };
  }
  return { choice: 'abort', reason: `No repetition is left and the gate did not pass: ${obstacle(criteria)}.` };
}

function afterB({ verdict, criteria, diagnosis, fixesLeft }: RecommendationInput): Recommendation {
  const findings = found(diagnosis);
  const remedies: Remedies = mergeRemedies(findings.map((finding) => finding.remedies));
  const outcome = `${verdict === 'fail' ? 'Failed' : 'Inconclusive'} (${obstacle(criteria)})`;
  const curable = Object.keys(remedies).length > 0;
  if (fixesLeft > 0 && curable)
    return { choice: 'fix', remedies, reason: `${outcome}; found ${causes(findings)}, which the remedies address.` };
  const why = curable ? 'no repetition is left' : `${causes(findings)} that a fix would mend was found`;
  return { choice: 'skip', reason: `${outcome}; ${why}, so go on from the Phase A adapter.` };
}

function afterC({ verdict, criteria, isLaterRound, fixesLeft }: RecommendationInput): Recommendation {
  if (isLaterRound)
    return {
      choice: 'skip',
      reason: `Not shown to help, so the rounds end with the model before it: ${obstacle(criteria)}.`,
    };
  if (verdict === 'inconclusive' && fixesLeft > 0)
    return { choice: 'retry', reason: `Inconclusive, and a repetition is left: ${obstacle(criteria)}.` };
  const outcome = verdict === 'fail' ? 'Failed' : 'Inconclusive with no repetition left';
  return { choice: 'abort', reason: `${outcome}, so the model stays where it was: ${obstacle(criteria)}.` };
}

/**
 * What the evidence calls for. A passed gate: approve. Inconclusive, and the questions left settle it: extend. Gate A: abort when the student is no better than the most
 * frequent answer, else retry while it may. Gate B: fix with the merged remedies of the causes found; skip when no
 * repetition is left or nothing found can be mended. Gate C: retry what is inconclusive, abort what failed; a later
 * round that did not pass is skipped, which ends the loop. Approving what did not pass is never recommended.
 */
export function recommend(input: RecommendationInput): Recommendation {
  if (input.verdict === 'pass') return { choice: 'approve', reason: 'Every criterion passed.' };
  if (input.extension?.settles)
    return {
      choice: 'extend',
      reason: `Inconclusive, and ${input.extension.items} more held-out questions should settle it: ${obstacle(input.criteria)}.`,
    };
  if (input.gate === 'A') return afterA(input);
  return input.gate === 'B' ? afterB(input) : afterC(input);
}
