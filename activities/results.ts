import type { Recipe } from '../config/recipe.ts';
import type { Cost } from '../domain/budget.ts';
import type { CostEstimate } from '../domain/estimate.ts';
import type { TrainingLedger } from '../domain/ledger.ts';
import type { ArtefactRef, DataReport, TrainingRecord } from '../domain/records.ts';

/** What activities answer and report, where several of them or their watchers share it. */

export type Corpus = { rows: ArtefactRef; heldOut: ArtefactRef | null; report: DataReport; templateDigest: string };

export type TrainingResult = TrainingRecord & {
  evalLoss: number | null;
  trainableParameters: number;
  totalParameters: number;
  /** Why it is not bit for bit the result of a training that nothing interrupted; absent = it is. */
  inexact?: string | undefined;
};

/** Heartbeat details of a GPU activity; `ratchet watch` reads them from the pending activity. */
export type TrainerProgress = {
  kind: 'sft' | 'dpo' | 'generate' | 'attribute' | 'teacher';
  label: string;
  done: number;
  total: number;
  loss?: number;
  tokensPerSecond?: number;
  etaSeconds?: number;
  /** Newest whole checkpoint in S3; a hint, the manifests are the truth. */
  checkpointStep?: number;
  startedAt: number;
  /** Generations: GPU-seconds of this try and those before it. */
  gpuSeconds?: number;
  /** All that the run has spent, this work included. */
  spentUsd?: number;
  /** Of it, what calls without an answer may have cost, with those in flight: whoever comes after a kill counts it. */
  unansweredUsd?: number;
  /** Unix milliseconds of this heartbeat: the last sign of life, for the attempt that comes after a loss. */
  at?: number;
  /** Trainings: which attempt by the lease's count, and what the attempts before it cost. */
  epoch?: number;
  ledger?: TrainingLedger;
};

export type ResolvedRecipe = {
  recipe: Recipe;
  /** sha256 of the resolved recipe as canonical JSON. */
  digest: string;
  /** Which environment variables and overrides changed what, for the record. */
  overridden: { field: string; by: string; value: string }[];
  estimate: CostEstimate;
  /** What calls have cost that had to be made to see whether servers take key and model; absent = none were. */
  checked?: Cost;
};
