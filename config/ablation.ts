import { z } from 'zod';
import { armNames, defaultArms, planArms } from '../domain/ablation.ts';
import type { PlannedArm } from '../domain/ablation.ts';
import type { CostEstimate } from '../domain/estimate.ts';
import { estimateOf } from './check-recipe.ts';
import type { Recipe } from './recipe.ts';

/** Input of the `ablation` workflow as people send it; see {@link AblationStart} of the domain. */
export const AblationInput = z.strictObject({
  recipe: z.union([z.string().min(1), z.record(z.string(), z.unknown())]),
  overrides: z.record(z.string(), z.unknown()).optional(),
  from: z.strictObject({ run: z.string().min(1) }).optional(),
  arms: z.array(z.enum(armNames)).min(1).optional(),
  seeds: z.int().min(1).max(10).optional(),
});

export type AblationInput = z.infer<typeof AblationInput>;
export type AblationPlan = { arms: PlannedArm[]; estimate: CostEstimate };

/**
 * Trainings to come and what they cost at most. From an older run nothing is asked of the teacher.
 *
 * @param simulated as of `estimateOf`
 * @throws InvalidRecipe where an arm does not fit the schedule
 */
export function planAblation(
  recipe: Recipe,
  { arms = [...defaultArms], seeds = 1, from }: Pick<AblationInput, 'arms' | 'seeds' | 'from'>,
  simulated = false,
): AblationPlan {
  const planned = planArms(arms, seeds, recipe);
  const { hours } = recipe.plan;
  // Rounds are no part of an ablation.
  const before = estimateOf({ ...recipe, phaseC: { ...recipe.phaseC, rounds: 1 } }, simulated);
  const gpuHours = (from === undefined ? hours.A + hours.B : 0) + planned.length * hours.C;
  const gpuUsd = gpuHours * recipe.budget.gpuHourUsd;
  const { teacherCalls, teacherUsd, teacherPriced, pricesDate } = before;
  const teacher =
    from === undefined
      ? { teacherCalls, teacherUsd, teacherPriced, pricesDate }
      : { teacherCalls: 0, teacherUsd: 0, teacherPriced, pricesDate: null };
  return {
    arms: planned,
    // No judge is asked.
    estimate: { ...teacher, judgeCalls: 0, judgeUsd: 0, gpuHours, gpuUsd, totalUsd: teacher.teacherUsd + gpuUsd },
  };
}
