import { canonicalJson } from './canonical.ts';
import type { Sha256 } from './canonical.ts';
import { gateOptions, laterRoundOptions, optionsOf } from './decisions.ts';
import { diagnose } from './diagnosis.ts';
import { judgeExperiments, sharesOf } from './experiments.ts';
import type { Attributions } from './experiments.ts';
import type {
  CriterionVerdict,
  EvidenceParts,
  Extension,
  FailedExperiment,
  GateCriterion,
  GateEvidence,
  RoundName,
} from './gate-types.ts';
import { judgeCriteria, overallVerdict } from './gate-verdict.ts';
import { invalid } from './invalid.ts';
import type { QuestionQuality } from './question-quality.ts';
import type { DataReport, EvaluatedItem, EvaluationSummary, PhaseName } from './records.ts';
import { recommend } from './recommendation.ts';
import type { RemediableRecipe } from './remedies.ts';
import type { Losses } from './training-diagnosis.ts';

/** One evaluation with its items. */
export type Evaluated = { summary: EvaluationSummary; items: readonly EvaluatedItem[] };

export type GateInput = {
  gate: PhaseName;
  attempt: number;
  /** Of Phase C from the second round on, which offers to end the loop. */
  round?: RoundName | undefined;
  criteria: readonly GateCriterion[];
  /** By role; `reasoning` and `direct` are the candidate adapter asked with and without reasoning. */
  evaluations: {
    candidate: Evaluated;
    phaseA?: Evaluated | undefined;
    phaseB?: Evaluated | undefined;
    phaseC?: Evaluated | undefined;
    noDraft?: Evaluated | undefined;
    shuffledDraft?: Evaluated | undefined;
    reasoning?: Evaluated | undefined;
    direct?: Evaluated | undefined;
    /** The model that the phase went on from, asked directly. */
    control?: Evaluated | undefined;
  };
  /** Of the candidate's own answers, before and after DPO. */
  attributions?: Attributions | undefined;
  /** Of the phase's training. */
  losses?: Losses | undefined;
  /** Shown beside those with a role, for example the shuffled-draft evaluation. */
  others?: readonly EvaluationSummary[];
  questionQuality?: QuestionQuality | undefined;
  /** Experiments that were asked for and failed for good. */
  failedExperiments?: readonly FailedExperiment[] | undefined;
  dataReport: DataReport;
  trainedTemplateDigest: string;
  adapterSha256: string;
  /** Of this attempt's recipe, remedies applied. */
  recipeDigest: string;
  phaseB: RemediableRecipe['phaseB'];
  /** Repetitions of the phase that are still allowed; with none the gate offers none. */
  fixesLeft: number;
  /** How often this gate may be judged, extensions counted; each look spends an equal part of the error. Default 1. */
  looks?: number | undefined;
  /** Held-out questions that an extension may still evaluate. */
  questionsLeft?: number | undefined;
};

/** Counts in a summary must be those of its items, or the evidence would show one thing and judge another. */
function checkCounts({ summary, items }: Evaluated): void {
  const correct = items.filter((item) => item.correct).length;
  if (summary.n !== items.length || summary.correct !== correct) {
    throw invalid(
      'ArtefactDamaged',
      `evaluation ${summary.name} says ${summary.correct}/${summary.n}, its items ${correct}/${items.length}`,
    );
  }
}

/** Digests of everything that a decision rests on. Any of them changing makes older decisions stale. */
const evidenceParts = (input: GateInput, evaluations: readonly EvaluationSummary[], sha256: Sha256): EvidenceParts => ({
  gate: input.gate,
  attempt: input.attempt,
  adapter: input.adapterSha256,
  prompts: input.trainedTemplateDigest,
  criteria: sha256(canonicalJson({ criteria: input.criteria, looks: input.looks ?? 1 })),
  recipe: input.recipeDigest,
  evaluations: Object.fromEntries([
    ...evaluations.map(({ name, items, templateDigest, adapterSha256 }): [string, string] => [
      name,
      sha256(canonicalJson({ items: items.sha256, templateDigest, adapterSha256 })),
    ]),
    ...qualityPart(input, sha256),
  ]),
  ...(input.attributions && {
    attributions: sha256(
      canonicalJson([input.attributions.before, input.attributions.after].map(({ summary }) => summary.rows.sha256)),
    ),
  }),
  ...(input.failedExperiments?.length && { failedExperiments: sha256(canonicalJson(input.failedExperiments)) }),
});

function qualityPart({ gate, attempt, questionQuality }: GateInput, sha256: Sha256): [string, string][] {
  if (questionQuality === undefined) return [];
  const { verdicts, judge } = questionQuality;
  return [[`${gate}${attempt}/question-quality`, sha256(canonicalJson({ verdicts: verdicts.sha256, judge }))]];
}

/** What more held-out questions say nothing about: neither are more answers attributed, nor more drafts judged. */
const samplesOfTheirOwn: readonly string[] = ['attribution', 'question-quality'];

/** As many items as the criteria call for that are open; all that are left where more items alone settle nothing. */
function extensionOf(criteria: readonly CriterionVerdict[], left: number): Extension | undefined {
  const open = criteria.filter(({ verdict }) => verdict === 'inconclusive');
  const extensible = open.filter(({ criterion, n }) => n > 0 && !samplesOfTheirOwn.includes(criterion.metric));
  if (left === 0 || extensible.length === 0) return undefined;
  const wanted = extensible.map(({ settledBy, n }) => (settledBy ? settledBy - n : Infinity));
  const most = Math.max(...wanted);
  return { items: Math.min(left, most), left, settles: most <= left && extensible.length === open.length };
}

/** Items by role, as criteria and experiments are held against them. */
function rolesOf({ evaluations, questionQuality }: GateInput) {
  const { candidate, phaseA, phaseB, phaseC, noDraft, shuffledDraft } = evaluations;
  return {
    candidate: candidate.items,
    phaseA: phaseA?.items,
    phaseB: phaseB?.items,
    phaseC: phaseC?.items,
    noDraft: noDraft?.items,
    shuffledDraft: shuffledDraft?.items,
    questionQuality: questionQuality?.compared,
  };
}

/**
 * Everything a person sees before deciding: verdicts, diagnosis, options, recommendation, digest.
 *
 * @throws InvalidData when evaluations are not of the same items
 */
export function gateEvidence(input: GateInput, sha256: Sha256): GateEvidence {
  const { candidate, reasoning, direct, control } = input.evaluations;
  const withRole = Object.values(input.evaluations).filter((evaluated) => evaluated !== undefined);
  withRole.forEach(checkCounts);
  const summaries = [...withRole.map(({ summary }) => summary), ...(input.others ?? [])];
  const evaluations = [...new Map(summaries.map((summary) => [summary.name, summary])).values()];
  const roles = rolesOf(input);
  const attribution = sharesOf(input.attributions);
  const failed = input.failedExperiments;
  const criteria = judgeCriteria(input.criteria, { ...roles, attribution, failed }, input.looks);
  const experiments = input.gate === 'C' ? judgeExperiments(roles, input.attributions, input.looks) : [];
  const verdict = overallVerdict(criteria);
  const extension = verdict === 'inconclusive' ? extensionOf(criteria, input.questionsLeft ?? 0) : undefined;
  const diagnosis = diagnose({
    gate: input.gate,
    candidate: candidate.items,
    withReasoning: reasoning?.items,
    withoutReasoning: direct?.items,
    control: control?.items,
    losses: input.losses,
    dataReport: input.dataReport,
    trainedTemplateDigest: input.trainedTemplateDigest,
    candidateTemplateDigest: candidate.summary.templateDigest,
    phaseB: input.phaseB,
  });
  const parts = evidenceParts(input, evaluations, sha256);
  const offered = input.round ? laterRoundOptions : gateOptions[input.gate];
  return {
    gate: input.gate,
    attempt: input.attempt,
    ...(input.round && { round: input.round }),
    verdict,
    criteria,
    diagnosis,
    ...(experiments.length > 0 && { experiments }),
    ...(failed?.length && { failedExperiments: [...failed] }),
    evaluations,
    ...(input.questionQuality && { questionQuality: input.questionQuality }),
    options: [...optionsOf(offered, input.fixesLeft), ...(extension ? (['extend'] as const) : [])],
    ...(extension ? { extension } : {}),
    recommendation: recommend({
      gate: input.gate,
      verdict,
      criteria,
      diagnosis,
      extension,
      isLaterRound: input.round !== undefined,
      fixesLeft: input.fixesLeft,
    }),
    digest: sha256(canonicalJson(parts)),
    parts,
  };
}
