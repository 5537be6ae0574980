import type { Recipe } from '../../config/recipe.ts';
import type { ProgrammeState } from '../../domain/programme.ts';
import { warningLines } from './budget-words.ts';
import type { CostRow, Costs } from './report-data.ts';

const phaseNames = ['A', 'B', 'C'] as const;

/** GPU time and money against the plan. What the phases did not use went into drafts and the base's own evaluation. */
export function costsOf(state: ProgrammeState, recipe: Recipe | null, now: Date): Costs {
  const phaseRows: CostRow[] = phaseNames.map((phase) => ({
    part: `Phase ${phase}`,
    gpuSeconds: state.phases
      .filter((attempt) => attempt.phase === phase)
      .reduce((sum, { gpuSeconds }) => sum + gpuSeconds, 0),
    plannedHours: recipe?.plan.hours[phase] ?? null,
  }));
  const inPhases = phaseRows.reduce((sum, row) => sum + row.gpuSeconds, 0);
  const { gpuSeconds, teacherUsd, teacherCalls, judgeUsd = 0, judgeCalls = 0 } = state.spent;
  const gpuHourUsd = recipe?.budget.gpuHourUsd ?? 0;
  const end = state.finishedAt === null ? now.getTime() : Date.parse(state.finishedAt);
  return {
    rows: [
      { part: 'Drafts and the base model', gpuSeconds: Math.max(0, gpuSeconds - inPhases), plannedHours: null },
      ...phaseRows,
    ],
    gpuSeconds,
    gpuHourUsd,
    gpuUsd: (gpuSeconds / 3600) * gpuHourUsd,
    teacherUsd,
    teacherCalls,
    judgeUsd,
    judgeCalls,
    plannedTeacherUsd: recipe?.plan.teacherUsd ?? null,
    capUsd: state.budget?.capUsd ?? recipe?.budget.capUsd ?? null,
    recipeCapUsd: recipe?.budget.capUsd ?? null,
    warnings: warningLines(state),
    estimate: state.estimate,
    elapsedSeconds: Math.max(0, (end - Date.parse(state.startedAt)) / 1000),
  };
}
