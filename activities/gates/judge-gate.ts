import { canonicalJson } from '../../domain/canonical.ts';
import { gateEvidence } from '../../domain/gate-evidence.ts';
import type { Evaluated } from '../../domain/gate-evidence.ts';
import type {
  ArtefactRef,
  EvaluatedItem,
  EvaluationMode,
  EvaluationName,
  EvaluationSummary,
} from '../../domain/records.ts';
import type { JudgedPair } from '../../domain/judging.ts';
import type { Experiments } from '../../domain/programme.ts';
import type { Losses } from '../../domain/training-diagnosis.ts';
import type { OrchestratorActivities } from '../contract.ts';
import { failure } from '../failure.ts';
import { summaryOf } from '../judge/judge-pairs.ts';
import { readCurve } from '../reports/training-curve.ts';
import { sha256 } from '../store/files.ts';
import type { Store } from '../store/store.ts';

/**
 * Holds the evaluations against the recipe's criteria: loads the items of those that have a role; the rest is shown
 * beside them. Nothing is judged from the counts that travelled through history alone.
 */
export const createJudgeGate =
  (store: Store): OrchestratorActivities['judgeGate'] =>
  async ({
    scope,
    recipe,
    gate,
    round,
    evaluations,
    roles,
    dataReport,
    trainedTemplateDigest,
    adapter,
    metrics,
    experiments,
    fixesLeft,
    looks,
    questionsLeft,
  }) => {
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
        round,
        criteria: (round === undefined ? recipe.gates[gate] : recipe.gates.laterRounds).criteria,
        evaluations: {
          candidate,
          phaseA: await load(roles.phaseA),
          phaseB: await load(roles.phaseB),
          phaseC: await load(roles.phaseC),
          noDraft: await load(roles.noDraft),
          reasoning: await load(siblingOf(roles.candidate, 'reasoning', byName)),
          direct: await load(roles.direct),
          control: await load(siblingOf(roles.phaseC ?? roles.phaseB ?? roles.phaseA, 'direct', byName)),
        },
        losses: metrics && (await lossesOf(store, metrics)),
        others: evaluations,
        experiments: experiments && (await recounted(store, experiments)),
        dataReport,
        trainedTemplateDigest,
        adapterSha256: adapter.sha256,
        recipeDigest: sha256(canonicalJson(recipe)),
        phaseB: recipe.phaseB,
        fixesLeft,
        looks,
        questionsLeft,
      },
      sha256,
    );
  };

/** The same adapter asked in another mode (`B1/direct` → `B1/reasoning`), where that was evaluated. */
function siblingOf(
  name: EvaluationName | undefined,
  mode: EvaluationMode,
  byName: ReadonlyMap<EvaluationName, EvaluationSummary>,
): EvaluationName | undefined {
  const sibling = `${name?.split('/')[0] ?? ''}/${mode}`;
  return byName.has(sibling) ? sibling : undefined;
}

/**
 * Experiments as their rows say they came out.
 *
 * @throws ArtefactDamaged where that is not what travelled through history
 */
async function recounted(store: Store, experiments: Experiments): Promise<Experiments> {
  const { questionQuality } = experiments;
  if (questionQuality === undefined) return experiments;
  const summary = summaryOf(questionQuality.judge, await store.rows<JudgedPair>(questionQuality.verdicts));
  if (canonicalJson({ ...questionQuality, ...summary }) === canonicalJson(questionQuality)) return experiments;
  throw failure('ArtefactDamaged', `${questionQuality.verdicts.uri} does not hold the verdicts that were counted`);
}

/** Losses of the phase's training, thinned as the report thins them. */
async function lossesOf(store: Store, metrics: ArtefactRef): Promise<Losses> {
  const { points, evals } = await readCurve(store.readRows(metrics));
  return { training: points, heldOut: evals };
}
