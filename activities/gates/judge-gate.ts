import { gateEvidence } from '../../domain/gate-evidence.ts';
import type { Evaluated } from '../../domain/gate-evidence.ts';
import type { EvaluatedItem, EvaluationName, EvaluationSummary } from '../../domain/records.ts';
import type { OrchestratorActivities } from '../contract.ts';
import { failure } from '../failure.ts';
import { sha256 } from '../store/files.ts';
import type { Store } from '../store/store.ts';

/**
 * Holds the evaluations against the recipe's criteria: loads the items of those that have a role; the rest is shown
 * beside them. Nothing is judged from the counts that travelled through history alone.
 */
export const createJudgeGate =
  (store: Store): OrchestratorActivities['judgeGate'] =>
  async ({ scope, recipe, gate, evaluations, roles, dataReport, trainedTemplateDigest, adapter, fixesLeft }) => {
    const byName = new Map(evaluations.map((evaluation) => [evaluation.name, evaluation]));
    const load = async (name: EvaluationName | undefined): Promise<Evaluated | undefined> => {
      const summary = name === undefined ? undefined : byName.get(name);
      if (summary !== undefined) return { summary, items: await store.rows<EvaluatedItem>(summary.items) };
      if (name === undefined) return undefined;
      throw failure(
        'InvalidData',
        `Gate ${gate} asks for evaluation ${name}, which was not made: ${[...byName.keys()].join(', ')}`,
      );
    };
    const candidate = await load(roles.candidate);
    if (candidate === undefined) throw failure('InvalidData', `Gate ${gate} has no candidate`);
    return gateEvidence(
      {
        gate,
        attempt: scope.attempt,
        criteria: recipe.gates[gate].criteria,
        evaluations: {
          candidate,
          phaseA: await load(roles.phaseA),
          phaseB: await load(roles.phaseB),
          noDraft: await load(roles.noDraft),
          reasoning: await load(reasoningOf(roles.candidate, byName)),
          direct: await load(roles.direct),
        },
        others: evaluations,
        dataReport,
        trainedTemplateDigest,
        adapterSha256: adapter.sha256,
        phaseB: recipe.phaseB,
        fixesLeft,
      },
      sha256,
    );
  };

/** The candidate's adapter asked with reasoning (`B1/direct` → `B1/reasoning`), where that was evaluated. */
function reasoningOf(candidate: EvaluationName, byName: ReadonlyMap<EvaluationName, EvaluationSummary>) {
  const name = `${candidate.split('/')[0] ?? ''}/reasoning`;
  return byName.has(name) ? name : undefined;
}
