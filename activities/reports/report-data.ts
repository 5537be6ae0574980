import type { Decision, Experiment, GateEvidence, GateName, Remedies, RoundName } from '../../domain/gate-types.ts';
import type { RunLedger } from '../../domain/ledger.ts';
import type { JudgedPair } from '../../domain/judging.ts';
import type { PhaseAttempt, ProgrammeState, Stage } from '../../domain/programme.ts';
import type { QuestionQuality } from '../../domain/question-quality.ts';
import type { Answer, ArtefactRef, DataReport, EvaluationMode, PhaseName } from '../../domain/records.ts';
import type { Interval } from '../../domain/statistics.ts';
import type { TrainingCurve } from './training-curve.ts';

/** A proportion with its 95 % Wilson interval, all fractions. */
export type Share = { successes: number; n: number; estimate: number; low: number; high: number };

/** One evaluation of one adapter; `phase` is null for the bare base. */
export type AccuracyRow = {
  name: string;
  phase: PhaseName | null;
  attempt: number;
  round?: RoundName | undefined;
  mode: EvaluationMode;
  /** The number the attempt stands for at its gate; see headline.ts. */
  headline: boolean;
  outcome: PhaseAttempt['outcome'] | 'base';
  accuracy: Share;
  unparsable: number;
  truncated: number;
  predictedYes: number;
};

export type PhaseReport = Pick<
  PhaseAttempt,
  | 'phase'
  | 'attempt'
  | 'round'
  | 'remedies'
  | 'outcome'
  | 'steps'
  | 'trainLoss'
  | 'gpuSeconds'
  | 'stepsRedone'
  | 'losses'
  | 'inexact'
  | 'dataReport'
> & {
  rows: number;
  /** Null where the metrics could not be read; `problem` says why. */
  curve: TrainingCurve | null;
  problem: string | null;
};

/** One opening of a gate: what was known, and what was sent to it while it was open. */
export type GateReport = {
  evidence: GateEvidence;
  /** Evidence of the looks before, where the gate was extended; oldest first. */
  earlier: GateEvidence[];
  decisions: Decision[];
  outcome: PhaseAttempt['outcome'];
};

/** One held-out question with what each model wrote. Text is the model's own, cut at a few thousand characters. */
export type Sample = {
  id: string;
  kind: 'gained' | 'lost' | 'both right' | 'both wrong' | 'unparsable';
  question: string;
  truth: Answer;
  draft: string | null;
  answers: {
    evaluation: string;
    answer: Answer | null;
    correct: boolean;
    finish: 'stop' | 'length';
    text: string;
    cut: boolean;
  }[];
};

/** A prompt with what its tokens did for the answer given: weights from −1 to 1, relative to the strongest token. */
export type AttributedSample = {
  id: string;
  truth: Answer;
  answer: Answer;
  /** The draft's share of the absolute attribution, and of the tokens. */
  share: number;
  tokenShare: number;
  cut: boolean;
  tokens: { text: string; draft: boolean; weight: number }[];
};

/** What Gate C was shown of an attempt's experiments. */
export type ExperimentsReport = Pick<PhaseAttempt, 'phase' | 'attempt'> & {
  experiments: Experiment[];
  /** Mean share of the attribution on the draft with its 95 % interval; null = none, or it could not be read. */
  attribution: { before: Interval; after: Interval; tokenShare: number } | null;
  samples: AttributedSample[];
};

/** A field of the recipe that is not at its default. Values as JSON text. */
export type RecipeDifference = { field: string; default: string; value: string };

/** Verdicts of the judge on one attempt; `pairs` are the first of each kind, `problem` why there are none. */
export type QualityReport = Pick<PhaseAttempt, 'phase' | 'attempt'> & {
  quality: QuestionQuality;
  pairs: JudgedPair[];
  problem: string | null;
};

/** GPU time and money by part of the run; `plannedHours` is null where the plan says nothing. */
export type CostRow = { part: string; gpuSeconds: number; plannedHours: number | null };
export type Costs = {
  rows: CostRow[];
  gpuSeconds: number;
  gpuHourUsd: number;
  gpuUsd: number;
  teacherUsd: number;
  teacherCalls: number;
  /** Zero where nothing was judged. */
  judgeUsd: number;
  judgeCalls: number;
  plannedTeacherUsd: number | null;
  /** As it stands, and as the recipe had it. */
  capUsd: number | null;
  recipeCapUsd: number | null;
  /** Each time that spending came near the cap of that time. */
  warnings: string[];
  estimate: ProgrammeState['estimate'];
  /** Wall clock from start to end, or to the writing of the report. */
  elapsedSeconds: number;
};

/** What losing hosts cost an attempt at a phase; see domain/ledger.ts. */
export type LossRow = Pick<PhaseAttempt, 'phase' | 'attempt' | 'round'> & { ledger: RunLedger };

/** Content of report.json: everything the page shows, as numbers. */
export type ReportData = {
  version: 1;
  run: string;
  recipeName: string;
  recipeDigest: string;
  description: string;
  base: string;
  dataSource: string;
  stage: Stage;
  waiting: GateName | null;
  startedAt: string;
  finishedAt: string | null;
  writtenAt: string;
  conclusion: string | null;
  from: { run: string; at: string } | null;
  teacher: { name: string; simulated: boolean; attempts: number } | null;
  promoted: { phase: PhaseName; attempt: number; override: boolean } | null;
  accuracies: AccuracyRow[];
  /** Share of the commoner label among the evaluated questions: what always giving one answer scores. */
  majority: number | null;
  phases: PhaseReport[];
  /** Attempts that were cut off, and all of the run together. */
  losses: { phases: LossRow[]; run: RunLedger };
  gates: GateReport[];
  experiments: ExperimentsReport[];
  /** Decisions sent when no gate of theirs was open. */
  strayDecisions: Decision[];
  /** Signals that could not be read as decisions. */
  unreadable: ProgrammeState['unreadable'];
  data: { prepared: DataReport | null; drafts: DraftQuality[]; responses: DataReport['responses'] | null };
  samples: Sample[];
  questionQuality: QualityReport[];
  costs: Costs;
  recipe: {
    differences: RecipeDifference[];
    attempts: { attempt: string; remedies: Remedies }[];
    resolved: unknown;
    /** Fields of a recipe of another version that could not be read. */
    unread: string[];
  };
  artefacts: { name: string; ref: ArtefactRef }[];
};

export type DraftQuality = NonNullable<DataReport['drafts']> & { set: 'training' | 'evaluation' };
