import { canonicalJson } from '../../domain/canonical.ts';
import { gateEvidence } from '../../domain/gate-evidence.ts';
import type { Evaluated } from '../../domain/gate-evidence.ts';
import type { Attributions } from '../../domain/experiments.ts';
import type {
  ArtefactRef,
  AttributedItem,
  AttributionSummary,
  EvaluatedItem,
  EvaluationMode,
  EvaluationName,
  EvaluationSummary,
} from '../../domain/records.ts';
import type { JudgedPair } from '../../domain/judging.ts';
import type { Experiments } from '../../domain/programme.ts';
import type { QuestionQuality } from '../../domain/question-quality.ts';
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
  async (input) => {
    const { scope, recipe, gate, round, evaluations, roles, metrics, experiments } = input;
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
          shuffledDraft: await load(roles.shuffledDraft),
          reasoning: await load(siblingOf(roles.candidate, 'reasoning', byName)),
          direct: await load(roles.direct),
          control: await load(siblingOf(roles.phaseC ?? roles.phaseB ?? roles.phaseA, 'direct', byName)),
        },
        attributions: experiments?.attribution && (await attributionsOf(store, experiments.attribution)),
        losses: metrics && (await lossesOf(store, metrics)),
        others: evaluations,
        questionQuality: experiments?.questionQuality && (await recounted(store, experiments.questionQuality)),
        failedExperiments: experiments?.failed,
        dataReport: input.dataReport,
        trainedTemplateDigest: input.trainedTemplateDigest,
        adapterSha256: input.adapter.sha256,
        recipeDigest: sha256(canonicalJson(recipe)),
        phaseB: recipe.phaseB,
        fixesLeft: input.fixesLeft,
        looks: input.looks,
        questionsLeft: input.questionsLeft,
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
 * What the judge found, as the rows say it.
 *
 * @throws ArtefactDamaged where that is not what travelled through history
 */
async function recounted(store: Store, quality: QuestionQuality): Promise<QuestionQuality> {
  const summary = summaryOf(quality.judge, await store.rows<JudgedPair>(quality.verdicts));
  if (canonicalJson({ ...quality, ...summary }) === canonicalJson(quality)) return quality;
  throw failure('ArtefactDamaged', `${quality.verdicts.uri} does not hold the verdicts that were counted`);
}

type Attribution = NonNullable<Experiments['attribution']>;

async function attributionsOf(store: Store, { before, after }: Attribution): Promise<Attributions> {
  const load = async (summary: AttributionSummary) => ({
    summary,
    items: await store.rows<AttributedItem>(summary.rows),
  });
  return { before: await load(before), after: await load(after) };
}

/** Losses of the phase's training, thinned as the report thins them. */
async function lossesOf(store: Store, metrics: ArtefactRef): Promise<Losses> {
  const { points, evals } = await readCurve(store.readRows(metrics));
  return { training: points, heldOut: evals };
}
