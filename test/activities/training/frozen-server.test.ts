import { afterAll, beforeAll, expect, test } from 'vitest';
import type { GpuActivities } from '../../../activities/contract.ts';
import type { Recipe } from '../../../config/recipe.ts';
import type { Question } from '../../../domain/records.ts';
import { jobsOf, newHost, smallRecipe, startActivity } from '../../setup/gpu.ts';
import { startTrainingRig } from '../../setup/training-rig.ts';
import type { TrainingRig } from '../../setup/training-rig.ts';

type SftInput = Parameters<GpuActivities['trainSft']>[0];

let rig: TrainingRig;
let recipe: Recipe;
beforeAll(async () => {
  rig = await startTrainingRig();
  recipe = smallRecipe(rig.base, { reliability: { stallSeconds: 6 } });
});
afterAll(() => rig.stop());

/** The server and its job stand still, as when their device is gone: they hold their sockets and say nothing. */
function freeze(): number {
  const server = rig.trainer.pid() ?? 0;
  for (const pid of [server, ...jobsOf(rig.trainer)]) process.kill(pid, 'SIGSTOP');
  return server;
}

const isThere = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

test('a trainer that freezes whole: the attempt ends, the server is replaced, the next attempt goes on', async () => {
  const host = newHost(rig.s3, rig.trainer);
  const input: SftInput = {
    scope: { run: 'frozen', phase: 'A', attempt: 1 },
    ...{ recipe, phase: 'A', corpus: rig.corpus, heldOut: null, adapter: null },
  };
  const train = () => startActivity((given: SftInput) => host.activities.trainSft(given), input);
  const first = train();
  await first.until(({ checkpointStep }) => (checkpointStep ?? 0) >= 20);
  const frozen = freeze();
  await expect(first.result).rejects.toMatchObject({
    type: 'TrainerStalled',
    message: expect.stringContaining('replaced') as string,
  });
  expect(isThere(frozen)).toBe(false);
  const result = await train().result;
  expect(rig.trainer.pid()).not.toBe(frozen);
  expect(result).toMatchObject({ steps: 120, losses: 1 });
  const rows = await rig.store.rows<{ event: string; step: number }>(result.metrics);
  const steps = rows.filter(({ event }) => event === 'step').map(({ step }) => step);
  expect(steps).toEqual(Array.from({ length: 120 }, (_, index) => index + 1));
});

test('a generation on a server that is frozen before it begins', async () => {
  const host = newHost(rig.s3, rig.trainer);
  const questions: Question[] = [{ id: 'q', question: 'Is it so?', answer: 'yes', facts: [], decomposition: [] }];
  const input: Parameters<GpuActivities['generateDrafts']>[0] = {
    scope: { run: 'frozen', phase: 'drafts', attempt: 1 },
    ...{ recipe, questions: await rig.store.putRows('t/questions.jsonl', questions), adapter: null, name: 'train' },
  };
  const draft = () => startActivity((given: typeof input) => host.activities.generateDrafts(given), input).result;
  await rig.trainer.socket();
  const frozen = freeze();
  await expect(draft()).rejects.toMatchObject({ type: 'TrainerStalled' });
  expect(isThere(frozen)).toBe(false);
  await expect(draft()).resolves.toBeDefined();
});
