import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import type { GpuActivities } from '../../../activities/contract.ts';
import type { BudgetNews, BudgetRoom } from '../../../domain/budget.ts';
import type { Question } from '../../../domain/records.ts';
import { newHost, smallRecipe, startActivity, weightsOf } from '../../setup/gpu.ts';
import { startTrainingRig } from '../../setup/training-rig.ts';
import type { TrainingRig } from '../../setup/training-rig.ts';

let rig: TrainingRig;
beforeAll(async () => {
  rig = await startTrainingRig();
});
afterAll(() => rig.stop());

afterEach(() => {
  vi.restoreAllMocks();
});

/** To whoever asks here, 500 seconds go by at once: less than S3 minds. The trainer is a process of its own. */
function passTime(): void {
  const now = Date.now.bind(Date);
  vi.spyOn(Date, 'now').mockImplementation(() => now() + 500_000);
}

/** A GPU-second is a dollar. */
const recipe = (changes: Record<string, unknown> = {}) =>
  smallRecipe(rig.base, { budget: { gpuHourUsd: 3600 }, ...changes });
type SftInput = Parameters<GpuActivities['trainSft']>[0];
const train = (run: string, budget: BudgetRoom, host = newHost(rig.s3, rig.trainer)) => {
  const scope = { run, phase: 'A', attempt: 1 } as const;
  const common = { scope, budget, recipe: recipe(), phase: 'A', corpus: rig.corpus } as const;
  const input: SftInput = { ...common, heldOut: null, adapter: null };
  return startActivity((given: SftInput) => host.activities.trainSft(given), input);
};
type AtCap = { type: string; message: string; details: [{ kept: { step: number } | null; budget: BudgetNews }] };
const endOf = (result: Promise<unknown>): Promise<AtCap> =>
  result.then(
    () => expect.unreachable('there was room'),
    (error: unknown) => error as AtCap,
  );

test('a training that comes to the cap saves, ends, and goes on from there to the same adapter', async () => {
  const free = await train('whole', { capUsd: 1e6, spentUsd: 0 }).result;
  const capped = train('capped', { capUsd: 1300, spentUsd: 1000 });
  await capped.until(({ done }) => done >= 30);
  passTime();
  const first = await endOf(capped.result);
  vi.restoreAllMocks();
  expect(first).toMatchObject({ type: 'BudgetExceeded', nonRetryable: true });
  const [{ kept, budget }] = first.details;
  expect(kept?.step).toBeGreaterThanOrEqual(30);
  expect(kept?.step).toBeLessThan(free.steps);
  const paid = budget.cost.gpuSeconds ?? 0;
  expect(paid).toBeGreaterThan(500);
  expect(budget.nextUsd).toBeGreaterThan(0);

  // The earlier try counts, so the same cap leaves no room for another one.
  const again = await endOf(train('capped', { capUsd: 1300, spentUsd: 1000 }).result);
  expect(again).toMatchObject({ type: 'BudgetExceeded', details: [{ kept: null }] });
  expect(again.details[0].budget.cost.gpuSeconds).toBeGreaterThanOrEqual(paid);

  const second = train('capped', { capUsd: 1e6, spentUsd: 1000 });
  const result = await second.result;
  expect(second.beats.find(({ done }) => done > 0)?.done).toBeGreaterThanOrEqual(kept?.step ?? Infinity);
  expect(await weightsOf(rig.store, result.adapter)).toBe(await weightsOf(rig.store, free.adapter));
  // Nobody was lost, nothing was done twice, and both tries are paid.
  expect(result).toMatchObject({ steps: free.steps, losses: 0, stepsRedone: 0, ledger: { lost: 0 } });
  expect(result.gpuSeconds).toBeGreaterThan(paid);
});

test('without room nothing begins; what is finished costs nothing', async () => {
  const host = newHost(rig.s3, rig.trainer);
  const none = await endOf(train('none', { capUsd: 5, spentUsd: 5 }, host).result);
  expect(none).toMatchObject({
    type: 'BudgetExceeded',
    details: [{ kept: null, budget: { cost: { gpuSeconds: 0 } } }],
  });
  expect(none.details[0].budget.nextUsd).toBeGreaterThan(0);
  const finished = await train('whole', { capUsd: 5, spentUsd: 5 }).result;
  expect(finished.steps).toBeGreaterThan(0);
});

test('a generation at the cap ends, counts its tries, and is done once', async () => {
  const asked = Array.from({ length: 100 }, (_, n): Question => ({
    ...{ id: `q${n}`, question: `Is ${n} so?`, answer: n % 2 ? 'yes' : 'no', facts: [], decomposition: [] },
  }));
  const questions = await rig.store.putRows('t/many.jsonl', asked);
  const host = newHost(rig.s3, rig.trainer);
  const draft = (budget: BudgetRoom) =>
    startActivity((input: Parameters<GpuActivities['generateDrafts']>[0]) => host.activities.generateDrafts(input), {
      scope: { run: 'drafts', phase: 'drafts', attempt: 1 },
      ...{ budget, recipe: recipe({ drafts: { maxNewTokens: 16, batchSize: 2 } }) },
      ...{ questions, adapter: null, name: 'train' },
    });
  // Room for a tenth of a second: it is ended at its first look at the clock.
  const error = await endOf(draft({ capUsd: 0.1, spentUsd: 0 }).result);
  expect(error).toMatchObject({ type: 'BudgetExceeded' });
  const paid = error.details[0].budget.cost.gpuSeconds ?? 0;
  expect(paid).toBeGreaterThan(0);
  const result = await draft({ capUsd: 1e6, spentUsd: 0 }).result;
  expect(result.gpuSeconds).toBeGreaterThan(paid);
  expect(result.drafts.rows).toBe(100);
  const found = await draft({ capUsd: 0, spentUsd: 0 }).result;
  expect(found).toEqual(result);
});
