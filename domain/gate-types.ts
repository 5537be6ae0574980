import type { BudgetEvidence } from './budget.ts';
import type { QuestionQuality } from './question-quality.ts';
import type { EvaluationSummary, PhaseName } from './records.ts';

/** Types of gates: criteria in, evidence out, decisions by people. Engine: gate-verdict.ts, diagnosis.ts, decisions.ts. */

/** A phase's gate, or `budget`: the run has come to its cap. */
export type GateName = PhaseName | 'budget';
export type Verdict = 'pass' | 'fail' | 'inconclusive';
export type Choice = 'approve' | 'retry' | 'fix' | 'skip' | 'redesign' | 'extend' | 'abort' | 'raise' | 'stop';
export type Policy = 'manual' | 'auto' | 'recommended';
export type GateMetric =
  'accuracy' | 'gain' | 'ablation-gain' | 'shuffle-drop' | 'attribution' | 'parsable' | 'question-quality';

/** As in the recipe; `atLeast` is a fraction (0.07 = 7 points), `confidence` two-sided. */
export type GateCriterion = {
  metric: GateMetric;
  over?: 'majority' | 'phaseA' | 'phaseB' | 'phaseC' | 'full-draft' | 'no-draft' | undefined;
  atLeast: number;
  confidence: number;
};

/**
 * One criterion held against the evaluations. Pass: interval and exact test clear the threshold; fail: the interval
 * rules it out; inconclusive otherwise. See rulings.ts.
 */
export type CriterionVerdict = {
  criterion: GateCriterion;
  verdict: Verdict;
  estimate: number;
  low: number;
  high: number;
  /** 0 = not measured, which is inconclusive: the interval is then all that could be, and `text` has the reason. */
  n: number;
  /** For a proportion: successes of n. For a paired gain: items only the new / only the old answered rightly. For a mean: its spread. */
  counts: { successes: number } | { onlyNew: number; onlyOld: number } | { deviation: number };
  /** One-sided p against the threshold, exact (of a mean: Student's), and the most that passes; absent in evidence of older runs. */
  exact?: { p: number; level: number };
  /** Interval of the paired bootstrap; gains only. */
  bootstrap?: { low: number; high: number };
  /** Two-sided and exact: McNemar against no gain, or binomial against the threshold for a proportion; null = untested. */
  p: number | null;
  /** `p` adjusted by Holm over the criteria of the gate. */
  pHolm?: number | null;
  /** Items that would settle an inconclusive criterion, those evaluated included; null = none would. */
  settledBy?: number | null;
  /** Smallest effect (fraction) that this n would have shown with 80 % power. */
  detectable: number;
  /** One sentence for people: `59.4 % (408/687), 95 % interval 55.7–63.0 %, asked ≥ 60 %: inconclusive`. */
  text: string;
};

/** A cause that the diagnosis looked for, with its number. */
export type Finding = {
  cause:
    | 'class-imbalance'
    | 'lost-to-filtering'
    | 'format-mismatch'
    | 'no-cot-benefit'
    | 'answer-collapse'
    | 'truncation'
    | 'at-majority'
    | 'loss-not-falling'
    | 'over-fitting'
    | 'forgetting';
  /** true = found, false = ruled out by numbers, null = not measured, which rules nothing out. */
  found: boolean | null;
  text: string;
  numbers: Record<string, number>;
  /** Changes to the recipe that this cause calls for. */
  remedies: Remedies;
};

/** What `fix` or `redesign` changes in the recipe for the next attempt at the phase; only the named fields change. */
export type Remedies = {
  balance?: 'none' | 'upsample' | 'weighted-loss';
  filtering?: 'drop-disagreements' | 'keep-all' | 'consensus';
  consensusAttempts?: number;
  sharedTemplate?: boolean;
  learningRate?: number;
  epochs?: number;
  earlyStopping?: { patienceEpochs: number; heldOutShare: number };
  /** `redesign` only, and then required: the new wording of what it redesigns. */
  templates?: { reasoning?: string; teacherSystem?: string; teacherUser?: string };
};

export type Recommendation = { choice: Choice; remedies?: Remedies; reason: string };

/** What `extend` would evaluate: `items` of the `left` held-out questions; `settles` = as many as are called for. */
export type Extension = { items: number; left: number; settles: boolean };

/** What a digest of evidence is made of, so that a decision on other evidence can be told what changed. All sha256. */
export type EvidenceParts = {
  gate: GateName;
  attempt: number;
  adapter: string;
  prompts: string;
  criteria: string;
  recipe: string;
  /** By name of the evaluation: its items, its template and the adapter asked. */
  evaluations: Record<string, string>;
  /** Attributions that the experiments of Gate C rest on; absent where none were made. */
  attributions?: string;
  /** Experiments that failed, and why; absent where none did. */
  failedExperiments?: string;
};

/**
 * A validation experiment of Phase C. It is held against what the plan asks like a criterion, but promotes nothing: a
 * recipe that wants it to declares the criterion.
 */
export type Experiment = {
  name: 'no-draft' | 'shuffled-draft' | 'attribution' | 'question-quality';
  /** What the numbers are of: `full draft minus no draft`. */
  measure: string;
  /** points: a difference of two shares; share: a share. Fractions both. */
  unit: 'points' | 'share';
  n: number;
  estimate: number;
  /** Ends of the 95 % interval. */
  low: number;
  high: number;
  /** Two-sided; null = not tested. */
  p: number | null;
  /** What the plan asks, and how it came out; null = it asks nothing. */
  atLeast: number | null;
  verdict: Verdict | null;
  /** One sentence for people. */
  text: string;
};

/** An experiment that came to nothing: `type` as in domain/failures.ts, `message` with what to do about it. */
export type FailedExperiment = { name: 'attribution' | 'question-quality'; type: string; message: string };

/** A later round of Phase C, 2 and up, and which attempt at it. */
export type RoundName = { number: number; try: number };

/** Everything a person sees before deciding. `digest` covers `parts`, which evidence of older runs lacks. */
export type GateEvidence = {
  gate: GateName;
  attempt: number;
  /** Of Gate C in a later round of the self-guided loop. */
  round?: RoundName;
  verdict: Verdict;
  criteria: CriterionVerdict[];
  diagnosis: Finding[];
  /** Gate C's validation experiments; absent elsewhere, and in evidence of older runs. */
  experiments?: Experiment[];
  /** Experiments that could not be made; criteria that need one are inconclusive. */
  failedExperiments?: FailedExperiment[];
  /** What a judge found, where one was asked; one of the experiments. */
  questionQuality?: QuestionQuality;
  evaluations: EvaluationSummary[];
  options: Choice[];
  /** At the budget gate alone, which has nothing else to show. */
  budget?: BudgetEvidence;
  /** Where `extend` is among the options. */
  extension?: Extension;
  recommendation: Recommendation;
  digest: string;
  parts?: EvidenceParts;
};

/** What a signal, an Update or a command sends. Unknown fields are refused, so that a typo does not decide. */
export type DecisionInput = {
  gate: GateName;
  choice: Choice;
  by?: string;
  note?: string;
  remedies?: Remedies;
  /** The new cap of the run; `raise` only, and then required. */
  capUsd?: number;
  evidence?: string;
};

/** A decision as kept: refused ones too, with the reason. `override` marks approving a gate that did not pass. */
export type Decision = DecisionInput & {
  at: string;
  attempt: number | null;
  accepted: boolean;
  refusal?: string;
  override: boolean;
  source: 'signal' | 'update' | 'policy' | 'deadline';
};
