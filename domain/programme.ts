import type { AblationState } from './ablation.ts';
import type { BudgetState, Spent } from './budget.ts';
import type { Decision, FailedExperiment, GateEvidence, GateName, Remedies, RoundName } from './gate-types.ts';
import type { Unreadable } from './decision-log.ts';
import type { CostEstimate } from './estimate.ts';
import type { QuestionQuality } from './question-quality.ts';
import type {
  ArtefactRef,
  AttributionSummary,
  DataReport,
  EvaluationName,
  EvaluationSummary,
  PhaseName,
  TrainingRecord,
} from './records.ts';

/** Input of the `selfImprovement` workflow: what `temporal` and `tctl` send as plain JSON. */
export type RunStart = {
  /** Name of a recipe in config/recipes, or the recipe itself. */
  recipe: string | Record<string, unknown>;
  /** `{ "phaseB.learningRate": 1e-5 }`; dotted paths or nested objects. */
  overrides?: Record<string, unknown>;
  /** Start from a phase of an older run: its artefacts before `at` are taken over. */
  from?: { run: string; at: 'phaseA' | 'phaseB' | 'phaseC' };
};

/** Where a programme stands; `waiting` names an open gate. */
export type Stage =
  | 'resolving'
  | 'data'
  | 'drafts'
  | 'teacher'
  | 'phaseA'
  | 'phaseB'
  | 'phaseC'
  | 'ablation'
  | 'report'
  | 'done'
  | 'stopped'
  | 'cancelled'
  | 'failed';

/** What a later round of Phase C was made from: drafts by the model that it starts from, and the teacher's word on them. */
export type Round = RoundName & {
  drafts: ArtefactRef;
  draftReport: NonNullable<DataReport['drafts']>;
  /** Those of the run's first stage, where the pairs do not quote what the teacher says of the draft. */
  responses: ArtefactRef;
};
/** What Phase C measured beside its evaluations, as far as the recipe asks for it; each is evidence of its gate. */
export type Experiments = {
  /** The same answers attributed under the adapter that DPO began with and under the one it made. */
  attribution?: { before: AttributionSummary; after: AttributionSummary };
  questionQuality?: QuestionQuality;
  /** What was asked for and failed for good. */
  failed?: FailedExperiment[];
};

/** One attempt at a phase, with everything it left. */
export type PhaseAttempt = TrainingRecord & {
  phase: PhaseName;
  /** Counts on through the rounds of Phase C. */
  attempt: number;
  /** Absent in the first round. */
  round?: Round | undefined;
  /** What this attempt changed against the recipe, from the gate's decision. */
  remedies: Remedies | null;
  corpus: ArtefactRef;
  templateDigest: string;
  dataReport: DataReport;
  evaluations: EvaluationSummary[];
  /** Name of the evaluation that the gate judges. */
  candidate: EvaluationName;
  /** Phase C's experiments beyond its evaluations; absent where the recipe has none, and in runs of older versions. */
  experiments?: Experiments | undefined;
  /** Why the adapter is not bit for bit that of a training which nothing interrupted; absent = it is. */
  inexact?: string | undefined;
  evidence: GateEvidence | null;
  /** What the gate showed before it was extended, oldest first. */
  earlierEvidence?: GateEvidence[];
  outcome: 'promoted' | 'promoted-by-override' | 'rejected' | 'pending';
};

/** The whole state of a run: answer of the `status` query, content of `state.json`, input of the report. */
export type ProgrammeState = {
  run: string;
  recipeName: string;
  recipeDigest: string;
  recipe: unknown;
  stage: Stage;
  startedAt: string;
  finishedAt: string | null;
  waiting: GateName | null;
  data: { train: ArtefactRef; evaluation: ArtefactRef; report: DataReport } | null;
  drafts: {
    train: ArtefactRef;
    evaluation: ArtefactRef;
    trainReport: NonNullable<DataReport['drafts']>;
    evaluationReport: NonNullable<DataReport['drafts']>;
  } | null;
  teacher: {
    responses: ArtefactRef;
    attempts: number;
    name: string;
    /** Base URL of the server that was asked; absent in runs of older versions. */
    server?: string;
    report: NonNullable<DataReport['responses']>;
  } | null;
  baseEvaluation: EvaluationSummary | null;
  phases: PhaseAttempt[];
  /** The model as it stands: the adapter of the last promoted phase, null = the bare base. */
  promoted: { phase: PhaseName; attempt: number; adapter: ArtefactRef; override: boolean } | null;
  /** The accepted ones all and whole; of the refused ones the newest (domain/decision-log.ts). */
  decisions: Decision[];
  /** Messages that could not be read as a decision; the newest, cut. */
  unreadable: Unreadable[];
  spent: Spent;
  /** Not in runs of older versions. */
  budget?: BudgetState & {
    /** Evidence of each opening of the budget gate, oldest first. */
    reached: GateEvidence[];
  };
  /** Runs of older versions have fewer of its fields. */
  estimate: (Pick<CostEstimate, 'teacherUsd' | 'gpuHours' | 'totalUsd'> & Partial<CostEstimate>) | null;
  from: RunStart['from'] | null;
  report: { html: ArtefactRef; json: ArtefactRef; path: string } | null;
  /** Only of the `ablation` workflow. */
  ablation?: AblationState;
  /** Why the run stopped, failed or was cancelled, and what is kept where. */
  conclusion: string | null;
};
