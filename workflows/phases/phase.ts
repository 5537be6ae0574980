import { ApplicationFailure } from '@temporalio/common';
import { setHandler, workflowInfo } from '@temporalio/workflow';
import type { Corpus, TrainingResult } from '../../activities/contract.ts';
import type { Recipe } from '../../config/recipe.ts';
import type { BudgetRoom } from '../../domain/budget.ts';
import type { Remedies, RoundName } from '../../domain/gate-types.ts';
import type { PhaseAttempt, ProgrammeState } from '../../domain/programme.ts';
import type { ArtefactRef, EvaluationMode, EvaluationSummary, PhaseName } from '../../domain/records.ts';
import { ledgerQuery } from '../messages.ts';

/** Input of each phase's child workflow: references only. */
export type PhaseInput = {
  run: string;
  phase: PhaseName;
  attempt: number;
  /** The recipe of this attempt, remedies applied. */
  recipe: Recipe;
  remedies: Remedies | null;
  /** Adapter to go on from; null = the bare base. */
  adapter: ArtefactRef | null;
  data: NonNullable<ProgrammeState['data']>;
  drafts: NonNullable<ProgrammeState['drafts']>;
  teacher: NonNullable<ProgrammeState['teacher']>;
  /** Of Phase C, from the second round on; `teacherStage` numbers its teacher stage, as no other of the run is numbered. */
  round?: RoundName & { teacherStage: number };
  /** The cap, and what the run had spent before the phase; absent where an older version started it. */
  budget?: BudgetRoom;
};

/** What a phase leaves: the attempt, the teacher responses it ended with, and what it spent beyond GPU time. */
export type PhaseResult = {
  attempt: PhaseAttempt;
  teacher: PhaseInput['teacher'];
  teacherUsd: number;
  teacherCalls: number;
  /** Absent where no judge was asked. */
  judgeUsd?: number;
  judgeCalls?: number;
};

/** Refuses a phase that somebody starts by hand: its input is what a programme has made, and nothing else is read here. */
export function ofAProgramme(): void {
  const { parent, workflowType } = workflowInfo();
  if (parent !== undefined) return;
  const message = `${workflowType} is a part of a programme and is not started by itself; start selfImprovement or ablation`;
  throw ApplicationFailure.nonRetryable(message, 'InvalidRecipe');
}

/** A fresh seed per attempt, so that `retry` is not the same run again; the first attempt uses the recipe's own. */
export function attemptRecipe(input: PhaseInput): Recipe {
  return { ...input.recipe, seed: input.recipe.seed + input.attempt - 1 };
}

/**
 * What a gate judges: direct answers in Phase A, reasoning in Phase C. Phase B is asked with the template that it was
 * trained on only where the recipe shares it; the reference run did not.
 */
function candidateMode({ phase, recipe }: PhaseInput): EvaluationMode {
  return phase === 'C' || (phase === 'B' && recipe.phaseB.sharedTemplate) ? 'reasoning' : 'direct';
}

/** The record of an attempt, before its gate. */
export function attemptRecord(
  input: PhaseInput,
  corpus: Corpus,
  training: TrainingResult,
  evaluations: { summary: EvaluationSummary; gpuSeconds: number }[],
): PhaseAttempt {
  return {
    phase: input.phase,
    attempt: input.attempt,
    remedies: input.remedies,
    corpus: corpus.rows,
    templateDigest: corpus.templateDigest,
    dataReport: corpus.report,
    adapter: training.adapter,
    metrics: training.metrics,
    evaluations: evaluations.map((evaluation) => evaluation.summary),
    candidate: `${input.phase}${input.attempt}/${candidateMode(input)}`,
    steps: training.steps,
    trainLoss: training.trainLoss,
    gpuSeconds: evaluations.reduce((sum, evaluation) => sum + evaluation.gpuSeconds, training.gpuSeconds),
    stepsRedone: training.stepsRedone,
    losses: training.losses,
    ...(training.ledger && { ledger: training.ledger }),
    ...(training.inexact !== undefined && { inexact: training.inexact }),
    evidence: null,
    outcome: 'pending',
  };
}

/** Lets a watcher see what losses cost the training while the rest of its phase goes on. */
export function tellLedger({ ledger }: TrainingResult): void {
  setHandler(ledgerQuery, () => ledger ?? null);
}
