import type { AblationTable } from './ablation-table.ts';
import { invalid } from './invalid.ts';
import type { ArtefactRef, EvaluationSummary, PhaseName, TrainingRecord } from './records.ts';

/** Preference training with one thing changed at a time: plain DPO against each way to change its loss. */

export const armNames = ['plain', 'cal', 'dr', 'cal-dr', 'schedule', 'cal-published', 'dr-published'] as const;
export type ArmName = (typeof armNames)[number];

/** What every other arm is held against. */
export const plainArm: ArmName = 'plain';

/** The plan's own variants and the recipe's schedule; the published losses on demand. */
export const defaultArms: readonly ArmName[] = ['plain', 'cal', 'dr', 'cal-dr', 'schedule'];

/** A stage of the schedule, as in the recipe. */
export type DpoStage = {
  epochs: number;
  beta: number;
  loss: 'dpo' | 'cal-dpo' | 'cal-dpo-published' | 'dr-dpo-published';
  dropNoisiestShare: number;
  calLambda?: number | undefined;
  drBetaPrime?: number | undefined;
};

/** Share of the plan, for recipes whose schedule drops nothing. */
const planShare = 0.15;

/**
 * The schedule of an arm. But for `schedule`, the recipe's own, all have as many epochs as that one, and its last β
 * throughout, so that the loss alone differs. Arms that drop do so in their last epoch, as the plan does: before
 * anything was trained, no pair is noisier than another.
 *
 * @throws InvalidRecipe where pairs should be dropped and the schedule has one epoch
 */
export function armStages(arm: ArmName, schedule: readonly DpoStage[]): DpoStage[] {
  if (arm === 'schedule') return [...schedule];
  const epochs = schedule.reduce((sum, stage) => sum + stage.epochs, 0);
  const beta = schedule.at(-1)?.beta ?? 0;
  const stage = (loss: DpoStage['loss'], of: number, more: Partial<DpoStage> = {}): DpoStage => ({
    ...{ epochs: of, beta, loss, dropNoisiestShare: 0 },
    ...more,
  });
  if (arm === 'plain') return [stage('dpo', epochs)];
  if (arm === 'cal') return [stage('cal-dpo', epochs)];
  if (arm === 'cal-published') {
    const calLambda = schedule.find((each) => each.calLambda !== undefined)?.calLambda;
    return [stage('cal-dpo-published', epochs, calLambda === undefined ? {} : { calLambda })];
  }
  if (arm === 'dr-published') {
    const drBetaPrime = schedule.find((each) => each.drBetaPrime !== undefined)?.drBetaPrime;
    return [stage('dr-dpo-published', epochs, drBetaPrime === undefined ? {} : { drBetaPrime })];
  }
  if (epochs < 2) {
    const fix = 'give phaseC.stages two epochs or more, or leave the arm out';
    throw invalid('InvalidRecipe', `arm ${arm} drops pairs in its last epoch, and the schedule has one; ${fix}`);
  }
  const dropNoisiestShare = Math.max(...schedule.map((each) => each.dropNoisiestShare)) || planShare;
  const loss = arm === 'dr' ? 'dpo' : 'cal-dpo';
  return [stage(loss, epochs - 1), stage(loss, 1, { dropNoisiestShare })];
}

/** One training to come: `repetition` 1 has the recipe's seed, each further one the next. */
export type PlannedArm = { name: ArmName; repetition: number; seed: number; stages: DpoStage[] };

/** Every arm at every seed, seed by seed; plain DPO is always among them, and first. */
export function planArms(
  arms: readonly ArmName[],
  seeds: number,
  recipe: { seed: number; phaseC: { stages: readonly DpoStage[] } },
): PlannedArm[] {
  const names = armNames.filter((name) => name === plainArm || arms.includes(name));
  return Array.from({ length: seeds }, (_, index) =>
    names.map((name) => ({
      ...{ name, repetition: index + 1, seed: recipe.seed + index },
      stages: armStages(name, recipe.phaseC.stages),
    })),
  ).flat();
}

/** Input of the `ablation` workflow: what `temporal` and `tctl` send as plain JSON. */
export type AblationStart = {
  recipe: string | Record<string, unknown>;
  overrides?: Record<string, unknown>;
  /** Takes data, drafts, teacher responses and the adapter that Phase C would start from; without it Phases A and B run first. */
  from?: { run: string };
  /** Default: plain, cal, dr, cal-dr, schedule. */
  arms?: ArmName[];
  /** Trainings of each arm, each with a seed of its own; default 1. */
  seeds?: number;
};

/** An arm with what it left. */
export type TrainedArm = PlannedArm & TrainingRecord & { evaluation: EvaluationSummary };

/** The part of a run's state that an ablation adds. */
export type AblationState = {
  planned: PlannedArm[];
  arms: TrainedArm[];
  /** Where all arms start, and their reference model. */
  reference: { phase: PhaseName; attempt: number; adapter: ArtefactRef; evaluation: EvaluationSummary } | null;
  pairs: ArtefactRef | null;
  /** When every arm is there. */
  table: AblationTable | null;
};
