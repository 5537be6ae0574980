import { Recipe } from '../../../config/recipe.ts';
import type { AblationState, TrainedArm } from '../../../domain/ablation.ts';
import type { AblationTable } from '../../../domain/ablation-table.ts';
import type { ProgrammeState } from '../../../domain/programme.ts';
import type { ArtefactRows } from '../artefact-rows.ts';
import { isSimulated } from '../collect-report.ts';
import { readCurve } from '../training-curve.ts';
import type { TrainingCurve } from '../training-curve.ts';

/** A training of the ablation; `curve` is null where its metrics could not be read. */
export type ArmReport = TrainedArm & { label: string; curve: TrainingCurve | null };

/** Content of an ablation's report.json: everything the page shows, as numbers. */
export type AblationReport = Pick<
  ProgrammeState,
  | 'run'
  | 'recipeName'
  | 'recipeDigest'
  | 'stage'
  | 'startedAt'
  | 'finishedAt'
  | 'conclusion'
  | 'from'
  | 'spent'
  | 'phases'
> & {
  version: 1;
  kind: 'ablation';
  description: string;
  base: string;
  dataSource: string;
  writtenAt: string;
  simulatedTeacher: string | null;
  planned: AblationState['planned'];
  reference: AblationState['reference'];
  pairs: AblationState['pairs'];
  table: AblationTable | null;
  arms: ArmReport[];
  recipe: unknown;
};

async function curveOf({ metrics }: TrainedArm, rows: ArtefactRows): Promise<TrainingCurve | null> {
  try {
    return await readCurve(rows<unknown>(metrics));
  } catch {
    return null;
  }
}

/** Everything that the page shows. Metrics that cannot be read cost their own curve, not the report. */
export async function collectAblation(
  state: ProgrammeState,
  ablation: AblationState,
  rows: ArtefactRows,
  now: Date,
): Promise<AblationReport> {
  const recipe = Recipe.safeParse(state.recipe).data ?? null;
  const { run, recipeName, recipeDigest, stage, startedAt, finishedAt, conclusion, from, spent, phases } = state;
  const { planned, reference, pairs, table } = ablation;
  const seeds = new Set(planned.map(({ seed }) => seed)).size;
  const arms: ArmReport[] = [];
  for (const arm of ablation.arms) {
    const label = seeds === 1 ? arm.name : `${arm.name}, seed ${arm.seed}`;
    arms.push({ ...arm, label, curve: await curveOf(arm, rows) });
  }
  return {
    ...{ version: 1, kind: 'ablation' },
    ...{ run, recipeName, recipeDigest, stage, startedAt, finishedAt, conclusion, from, spent, phases },
    description: recipe?.description ?? '',
    base: recipe?.model.base ?? '',
    dataSource: recipe?.data.source ?? '',
    writtenAt: now.toISOString(),
    simulatedTeacher: state.teacher !== null && isSimulated(state.teacher.name) ? state.teacher.name : null,
    ...{ planned, reference, pairs, table, arms },
    recipe: state.recipe,
  };
}
