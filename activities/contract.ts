import type { Recipe } from '../config/recipe.ts';
import type { AblationStart, ArmName, PlannedArm, TrainedArm } from '../domain/ablation.ts';
import type { AblationTable } from '../domain/ablation-table.ts';
import type { GateNotice } from '../domain/gate-notice.ts';
import type { BudgetNews, BudgetRoom, Spent } from '../domain/budget.ts';
import type { GateEvidence, RoundName } from '../domain/gate-types.ts';
import type {
  ArtefactRef,
  AttributionSummary,
  DataReport,
  EvaluationMode,
  EvaluationName,
  EvaluationSummary,
  PhaseName,
} from '../domain/records.ts';
import type { TokenPrice } from '../domain/prices.ts';
import type { Experiments, ProgrammeState, RunStart, Stage } from '../domain/programme.ts';
import type { JudgeSummary } from '../domain/question-quality.ts';
import type { BatchRefusal, BatchStatus } from '../domain/teacher-batches.ts';
import type { Corpus, ResolvedRecipe, TrainingResult } from './results.ts';

export type { Corpus, ResolvedRecipe, TrainerProgress, TrainingResult } from './results.ts';

/**
 * Every activity on one page: what the workflows may ask of the world. Inputs and outputs are small plain JSON;
 * rows lie in S3 behind {@link ArtefactRef}. Grouped by the worker that serves them (one task queue each).
 */

/** Names the artefacts of one attempt at one phase: `runs/<run>/<phase>-<attempt>/…`. */
export type Scope = {
  run: string;
  phase: 'data' | 'drafts' | 'teacher' | PhaseName | 'ablation' | `arm-${ArmName}`;
  attempt: number;
};

/** Task queue `ratchet`: quick work without a GPU and without paid calls. */
export type OrchestratorActivities = {
  /** Recipe < environment < overrides, checked; refuses bad input before anything is spent. */
  resolveRecipe(input: { start: RunStart; run: string }): Promise<ResolvedRecipe>;
  /** The same for an ablation, with the trainings that it will make. */
  resolveAblation(input: { start: AblationStart; run: string }): Promise<ResolvedRecipe & { arms: PlannedArm[] }>;
  /** Splits, samples, writes question files. Counts come from the data. */
  prepareData(input: {
    scope: Scope;
    recipe: Recipe;
  }): Promise<{ train: ArtefactRef; evaluation: ArtefactRef; report: DataReport }>;
  /** `question → yes/no` rows. */
  buildAnswerCorpus(input: { scope: Scope; recipe: Recipe; questions: ArtefactRef }): Promise<Corpus>;
  /** question + draft → reasoning + answer rows, filtered and balanced as the recipe says. */
  buildReasoningCorpus(input: {
    scope: Scope;
    recipe: Recipe;
    questions: ArtefactRef;
    drafts: ArtefactRef;
    responses: ArtefactRef;
  }): Promise<Corpus>;
  /** Preference pairs. */
  buildPairs(input: {
    scope: Scope;
    recipe: Recipe;
    questions: ArtefactRef;
    drafts: ArtefactRef;
    responses: ArtefactRef;
  }): Promise<Corpus>;
  /** Criteria against evaluations, diagnosis, recommendation, digest. */
  judgeGate(input: {
    scope: Scope;
    recipe: Recipe;
    gate: PhaseName;
    /** Of Phase C, from the second on: judged by the criteria of later rounds. */
    round?: RoundName;
    evaluations: EvaluationSummary[];
    /** Names within `evaluations`: the candidate and what it is compared with. */
    roles: GateRoles;
    dataReport: DataReport;
    trainedTemplateDigest: string;
    adapter: ArtefactRef;
    /** Of the phase's training; absent = its course is not diagnosed. */
    metrics?: ArtefactRef;
    /** What Phase C measured beside its evaluations. */
    experiments?: Experiments | undefined;
    fixesLeft: number;
    /** How often this gate may be judged, extensions counted; default 1. */
    looks?: number;
    /** Held-out questions that an extension may still evaluate; default 0. */
    questionsLeft?: number;
  }): Promise<GateEvidence>;
  /** `items` held-out questions that were not evaluated yet, as a file of their own. */
  extendEvaluation(input: {
    scope: Scope;
    recipe: Recipe;
    evaluated: ArtefactRef;
    items: number;
    name: string;
  }): Promise<ArtefactRef>;
  /** The rows of several artefacts as one. */
  joinRows(input: { scope: Scope; name: string; parts: ArtefactRef[] }): Promise<ArtefactRef>;
  /** Holds the arms of an ablation against plain DPO and against what they started from, item by item. */
  compareArms(input: { reference: EvaluationSummary; arms: TrainedArm[] }): Promise<AblationTable>;
  /** What a person decides on at the budget gate; the digest covers all of it. */
  budgetEvidence(input: {
    run: string;
    /** How often the gate has opened, this time included. */
    attempt: number;
    stage: Stage;
    capUsd: number;
    spent: Spent;
    gpuHourUsd: number;
    news: BudgetNews;
  }): Promise<GateEvidence>;
  /** Posts one signed notice about a gate that waits. */
  notifyGate(input: { url: string; secretEnv: string; notice: GateNotice }): Promise<void>;
  /** Writes the state of the run to S3 after every phase, so that another run can start from it. */
  saveState(input: { state: ProgrammeState }): Promise<ArtefactRef>;
  /** State of an older run, for `--from`. */
  loadState(input: { run: string }): Promise<ProgrammeState>;
  /** report.html and report.json, to S3 and to RATCHET_HOME/reports/<run>/. */
  writeReport(input: { state: ProgrammeState }): Promise<{ html: ArtefactRef; json: ArtefactRef; path: string }>;
};

export type GateRoles = {
  candidate: EvaluationName;
  phaseA?: EvaluationName;
  phaseB?: EvaluationName;
  /** In a later round: the model that it started from. */
  phaseC?: EvaluationName;
  noDraft?: EvaluationName;
  shuffledDraft?: EvaluationName;
  /** The candidate adapter asked with Phase A's direct prompt: shows whether reasoning helps. */
  direct?: EvaluationName;
  /** The candidate adapter asked with the reasoning prompt; may be the candidate itself, as `direct` may. */
  reasoning?: EvaluationName;
};

/**
 * Task queue `ratchet-gpu`: one at a time; heartbeats carry {@link TrainerProgress}. `budget` comes from workflows/purse.ts
 * (absent in what older versions scheduled: the recipe's cap); at the cap a job saves and throws `BudgetExceeded`.
 */
export type GpuActivities = {
  generateDrafts(input: {
    scope: Scope;
    budget?: BudgetRoom;
    recipe: Recipe;
    questions: ArtefactRef;
    adapter: ArtefactRef | null;
    name: string;
    /** Drafts on so many of the questions only, the same ones for the same seed; default: all. */
    sample?: { items: number; seed: number };
  }): Promise<{
    drafts: ArtefactRef;
    report: NonNullable<DataReport['drafts']>;
    gpuSeconds: number;
  }>;
  evaluate(input: {
    scope: Scope;
    budget?: BudgetRoom;
    recipe: Recipe;
    name: EvaluationName;
    mode: EvaluationMode;
    questions: ArtefactRef;
    /** Drafts for every mode but `direct`. */
    drafts: ArtefactRef | null;
    adapter: ArtefactRef | null;
  }): Promise<{ summary: EvaluationSummary; gpuSeconds: number }>;
  /**
   * Attributes answers of an evaluation with drafts to the tokens of their prompts, under `adapter`: a seeded draw, the same
   * for every adapter. Phase C's own experiment.
   */
  attribute(input: {
    scope: Scope;
    budget?: BudgetRoom;
    recipe: Recipe;
    name: 'before' | 'after';
    questions: ArtefactRef;
    drafts: ArtefactRef;
    /** Items of the evaluation whose answers are attributed. */
    evaluation: ArtefactRef;
    adapter: ArtefactRef;
  }): Promise<{ summary: AttributionSummary; gpuSeconds: number }>;
  trainSft(input: {
    scope: Scope;
    budget?: BudgetRoom;
    recipe: Recipe;
    phase: 'A' | 'B';
    corpus: ArtefactRef;
    heldOut: ArtefactRef | null;
    adapter: ArtefactRef | null;
  }): Promise<TrainingResult>;
  trainDpo(input: {
    scope: Scope;
    budget?: BudgetRoom;
    recipe: Recipe;
    pairs: ArtefactRef;
    adapter: ArtefactRef;
  }): Promise<TrainingResult>;
};

/** Task queue `ratchet-api`: paid calls, with the same `budget`. */
export type ApiActivities = {
  /** All attempts 0..attempts-1 for every question; each response stored once under its request digest. */
  askTeacher(input: AskInput): Promise<Asked>;
  /** Input files of what has no answer yet, within the provider's limits and the cap. No files = nothing is left to send. */
  planBatches(input: AskInput & { round: number }): Promise<BatchPlan>;
  /** One file as one batch, however often it is tried. */
  submitBatch(input: { scope: Scope; recipe: Recipe; file: BatchFile }): Promise<{ id: string }>;
  /** How batches stand; short. */
  lookAtBatches(input: { recipe: Recipe; ids: string[] }): Promise<BatchNow[]>;
  /** Stores what a batch answered, each response under its request digest. */
  collectBatch(input: { scope: Scope; recipe: Recipe; file: BatchFile } & BatchLeft): Promise<CollectedBatch>;
  /** What has ended already stays as it is. */
  cancelBatches(input: { recipe: Recipe; ids: string[] }): Promise<void>;
  /**
   * Clarifying questions of two sets of drafts, compared item by item; paid once as the teacher is. The items are those of
   * `after`; what is known of the calibration's pairs lies behind theirs.
   */
  judgePairs(input: {
    scope: Scope;
    recipe: Recipe;
    /** Tells the verdicts of one experiment from another's. */
    name: string;
    questions: ArtefactRef;
    before: ArtefactRef;
    after: ArtefactRef;
    budget?: BudgetRoom;
  }): Promise<{ verdicts: ArtefactRef; summary: JudgeSummary; costUsd: number; calls: number; reused: number }>;
};

export type AskInput = {
  scope: Scope;
  budget?: BudgetRoom;
  recipe: Recipe;
  questions: ArtefactRef;
  drafts: ArtefactRef;
  attempts: number;
  /** What batches of this stage have come to, oldest first ({@link CollectedBatch}); absent = none were sent. */
  batches?: ArtefactRef[];
};

export type Asked = {
  responses: ArtefactRef;
  report: NonNullable<DataReport['responses']>;
  costUsd: number;
  calls: number;
  reused: number;
  teacher: string;
  /** Base URL of the server that was asked. */
  server?: string;
};

/** `deferred`: requests that the cap leaves no room for until what was sent is settled. */
export type BatchPlan = { files: BatchFile[]; deferred: number };

/** Input of one batch: JSON Lines of requests, `custom_id` is the request digest. */
export type BatchFile = {
  /** `2-1`: round, then number. */
  name: string;
  input: ArtefactRef;
  /** Of one request of it: the batch price. */
  price: TokenPrice;
};

/** How a batch stands; `files` are the provider's ids of the answers that it has left. */
export type BatchNow = {
  id: string;
  status: BatchStatus;
  done: number;
  total: number;
  files: string[];
  /** Id of what it says of requests without an answer. */
  errorFile?: string;
  /** It ended, and the provider may have more to say of it in a while. */
  unsettled?: boolean;
  /** Only with status `failed`. */
  refusal?: BatchRefusal;
};

/** What a batch has left at the provider. */
export type BatchLeft = Pick<BatchNow, 'files' | 'errorFile'>;

/** Rows of activities/teacher/batches/collected.ts, and how many of them are answers. */
export type CollectedBatch = {
  rows: ArtefactRef;
  answered: number;
  /** What a row says that no request can get past (an empty account, an unknown model); the stage ends with it. */
  rejected?: string;
};
