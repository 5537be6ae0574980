import { ablationTable } from '../../../domain/ablation-table.ts';
import type { AblationState, TrainedArm } from '../../../domain/ablation.ts';
import { planArms } from '../../../domain/ablation.ts';

const phaseC = { stages: [{ epochs: 2, beta: 0.1, loss: 'dpo' as const, dropNoisiestShare: 0 }] };
const planned = planArms(['plain', 'cal'], 1, { seed: 42, phaseC });
const ref = { uri: 's3://b/a', sha256: 'a', bytes: 1, rows: 0 };
const evaluation = (name: string, correct: number) => ({
  ...{ name, items: ref, n: 40, correct, unparsable: 0, truncated: 0, predictedYes: 20, truthYes: 20 },
  ...{ templateDigest: 't', adapterSha256: 'a' },
});
const trained = (index: number, correct: number): TrainedArm => ({
  ...(planned[index] as (typeof planned)[number]),
  ...{ adapter: ref, metrics: ref, evaluation: evaluation('x/reasoning', correct), steps: 18, trainLoss: 0.6 },
  ...{ gpuSeconds: 12, stepsRedone: 0, losses: 0 },
});
const right = (correct: number) =>
  Array.from({ length: 40 }, (_, index) => ({ id: `q${String(index)}`, correct: index < correct }));
const measured = (name: 'plain' | 'cal', correct: number) => ({
  ...{ name, seed: 42, items: right(correct), steps: 18, gpuSeconds: 12, margin: 0.21, chosenRatio: -0.4 },
});
/** Two arms, of which one is clearly better than the other. */
export const wholeAblation: AblationState = {
  ...{ planned, arms: [trained(0, 24), trained(1, 34)], pairs: ref },
  reference: { phase: 'B', attempt: 2, adapter: ref, evaluation: evaluation('reference/reasoning', 23) },
  table: ablationTable(right(23), [measured('plain', 24), measured('cal', 34)]),
};

/** The same after its first arm. */
export const halfAblation: AblationState = { ...wholeAblation, arms: wholeAblation.arms.slice(0, 1), table: null };
