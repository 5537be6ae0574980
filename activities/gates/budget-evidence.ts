import { budgetEvidenceOf } from '../../domain/budget.ts';
import { canonicalJson } from '../../domain/canonical.ts';
import { gateOptions } from '../../domain/decisions.ts';
import type { OrchestratorActivities } from '../contract.ts';
import { sha256 } from '../store/files.ts';

/** Evidence of the budget gate. It recommends to stop, which a deadline then does: only a person can give more money. */
export const describeBudget: OrchestratorActivities['budgetEvidence'] = ({
  run,
  attempt,
  stage,
  capUsd,
  spent,
  gpuHourUsd,
  news,
}) => {
  const budget = budgetEvidenceOf(stage, capUsd, spent, gpuHourUsd, news);
  return Promise.resolve({
    ...{ gate: 'budget', attempt, verdict: 'fail', criteria: [], diagnosis: [], evaluations: [] },
    options: [...gateOptions.budget],
    budget,
    recommendation: { choice: 'stop', reason: 'More money is for a person to give.' },
    digest: sha256(canonicalJson({ run, attempt, budget })),
  });
};
