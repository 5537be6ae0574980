import { ablationTable } from '../../domain/ablation-table.ts';
import type { ArmTraining } from '../../domain/ablation-table.ts';
import type { TrainedArm } from '../../domain/ablation.ts';
import type { EvaluatedItem } from '../../domain/records.ts';
import type { OrchestratorActivities } from '../contract.ts';
import type { Store } from '../store/store.ts';

/** Reads answers and metrics of the arms; nothing is compared by counts alone. */
export const createCompareArms =
  (store: Pick<Store, 'rows'>): OrchestratorActivities['compareArms'] =>
  async ({ reference, arms }) => {
    const itemsOf = (items: TrainedArm['metrics']) => store.rows<EvaluatedItem>(items);
    const measured = await Promise.all(
      arms.map(async ({ name, seed, steps, gpuSeconds, evaluation, metrics }) => ({
        ...{ name, seed, steps, gpuSeconds },
        ...lastEpoch(await store.rows<Metric>(metrics)),
        items: await itemsOf(evaluation.items),
      })),
    );
    return ablationTable(await itemsOf(reference.items), measured);
  };

/** A row of the trainer's metrics, as far as it matters here. */
type Metric = { event?: string; step?: number; epoch?: number; pairs?: number; margin?: number; chosenRatio?: number };

/** Means over the pairs of the last epoch, of which each is visited once. A step that was redone counts as it came last. */
export function lastEpoch(rows: readonly Metric[]): Pick<ArmTraining, 'margin' | 'chosenRatio'> {
  const steps = [...new Map(rows.filter(({ event }) => event === 'step').map((row) => [row.step, row])).values()];
  const end = Math.max(0, ...steps.map(({ epoch }) => epoch ?? 0));
  // `epoch` counts what is done after the step, so the first step of the last epoch is just above end − 1.
  const last = steps.filter(({ epoch }) => (epoch ?? 0) > end - 1 + 1e-9);
  const mean = (field: 'margin' | 'chosenRatio'): number | null => {
    const values = last.flatMap(({ pairs = 1, ...row }) =>
      row[field] === undefined ? [] : { pairs, value: row[field] },
    );
    const all = values.reduce((sum, { pairs }) => sum + pairs, 0);
    return all === 0 ? null : values.reduce((sum, { pairs, value }) => sum + pairs * value, 0) / all;
  };
  return { margin: mean('margin'), chosenRatio: mean('chosenRatio') };
}
