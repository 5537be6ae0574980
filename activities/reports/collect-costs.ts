import type { ProgrammeState } from '../../domain/programme.ts';
import { warningLines } from './budget-words.ts';
import type { ReadRecipe } from './read-recipe.ts';
import type { CostRow, Costs } from './report-data.ts';

const phaseNames = ['A', 'B', 'C'] as const;

/** GPU time and money against the plan. What the phases did not use went into drafts and the base's own evaluation. */
export function costsOf(state: ProgrammeState, recipe: ReadRecipe, now: Date): Costs {
  const phaseRows: CostRow[] = phaseNames.map((phase) => ({
    part: `Phase ${phase}`,
    gpuSeconds: state.phases
      .filter((attempt) => attempt.phase === phase)
      .reduce((sum, { gpuSeconds }) => sum + gpuSeconds, 0),
    plannedHours: recipe.plannedHours[phase] ?? null,
  }));
  const inPhases = phaseRows.reduce((sum, row) => sum + row.gpuSeconds, 0);
  const { gpuSeconds, teacherUsd, teacherCalls, judgeUsd = 0, judgeCalls = 0 } = state.spent;
  const gpuHourUsd = recipe.gpuHourUsd ?? 0;
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
    plannedTeacherUsd: recipe.plannedTeacherUsd ?? null,
    capUsd: state.budget?.capUsd ?? recipe.capUsd ?? null,
    recipeCapUsd: recipe.capUsd ?? null,
    warnings: [...unpriced(recipe), ...warningLines(state)],
    estimate: state.estimate,
    elapsedSeconds: Math.max(0, (end - Date.parse(state.startedAt)) / 1000),
  };
}

/** Without the price of a GPU-hour the sums say less than they seem to. */
const unpriced = ({ unread, gpuHourUsd }: ReadRecipe): string[] =>
  unread.length > 0 && gpuHourUsd === undefined
    ? ["The recipe's price of a GPU-hour could not be read: GPU time is not in these sums"]
    : [];
