import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { CancelledFailure } from '@temporalio/common';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { GpuActivities } from '../../../activities/contract.ts';
import { sha256 } from '../../../activities/store/files.ts';
import type { Store } from '../../../activities/store/store.ts';
import type { TrainerServer } from '../../../activities/training/trainer-server.ts';
import type { Recipe } from '../../../config/recipe.ts';
import type { ArtefactRef, Draft, EvaluatedItem, Question } from '../../../domain/records.ts';
import { defaultTemplates } from '../../../domain/templates.ts';
import { jobsOf, newHost, smallRecipe, startActivity, startTestTrainer } from '../../setup/gpu.ts';
import type { TestHost } from '../../setup/gpu.ts';
import { startTestS3 } from '../../setup/s3.ts';
import type { TestS3 } from '../../setup/s3.ts';

let s3: TestS3;
let store: Store;
let trainer: TrainerServer;
let recipe: Recipe;
let questions: ArtefactRef;

const asked = Array.from({ length: 12 }, (_, n): Question => ({
  ...{ id: `q${n}`, question: `Is ${n} so?`, answer: n % 2 ? 'yes' : 'no', facts: [], decomposition: [] },
}));

beforeAll(async () => {
  s3 = await startTestS3();
  store = s3.newStore();
  const warm = await startTestTrainer();
  trainer = warm.trainer;
  recipe = smallRecipe(warm.base);
  questions = await store.putRows('t/questions.jsonl', asked);
});
afterAll(async () => {
  await trainer.stop();
  await s3.stop();
});

type DraftsInput = Parameters<GpuActivities['generateDrafts']>[0];
type EvaluateInput = Parameters<GpuActivities['evaluate']>[0];
const drafting = (host: TestHost, run: string, changed: Partial<DraftsInput> = {}) => {
  const scope = { run, phase: 'drafts', attempt: 1 } as const;
  const input: DraftsInput = { scope, recipe, questions, adapter: null, name: 'train', ...changed };
  return startActivity((given: DraftsInput) => host.activities.generateDrafts(given), input);
};
const evaluation = (run: string, changed: Partial<EvaluateInput>, host = newHost(s3, trainer)) => {
  const scope = { run, phase: 'A', attempt: 1 } as const;
  const input: EvaluateInput = {
    scope,
    recipe,
    name: 'A1/direct',
    mode: 'direct',
    questions,
    drafts: null,
    adapter: null,
    ...changed,
  };
  return startActivity((given: EvaluateInput) => host.activities.evaluate(given), input);
};
const sampled = (base: Recipe): Recipe => ({ ...base, drafts: { ...base.drafts, temperature: 1 } });

describe('drafts', () => {
  test('one per question, in order, parsed and counted', async () => {
    const host = newHost(s3, trainer);
    const { drafts, report, gpuSeconds } = await drafting(host, 'drafts').result;
    const rows = await store.rows<Draft>(drafts);
    expect(rows.map(({ id }) => id)).toEqual(asked.map(({ id }) => id));
    expect(drafts.rows).toBe(12);
    expect(report.n).toBe(12);
    expect(report.truncated).toBe(rows.filter(({ finish }) => finish === 'length').length);
    // A base with random weights never stops by itself.
    expect(report.truncated).toBeGreaterThan(0);
    expect(gpuSeconds).toBeGreaterThan(0);
    expect(await readdir(join(host.workDir, 'drafts', 'drafts-1'))).toEqual([]);
  });

  test('a repeated activity finds them and runs nothing, on any host', async () => {
    const first = await drafting(newHost(s3, trainer), 'repeated').result;
    const again = drafting(newHost(s3, trainer), 'repeated');
    expect(await again.result).toEqual(first);
    expect(again.beats).toEqual([]);
  });

  test('sampled ones are the same again, each item by its own seed, whatever the batch', async () => {
    const one = await drafting(newHost(s3, trainer), 'seeds-1', { recipe: sampled(recipe) }).result;
    const smaller = sampled({ ...recipe, drafts: { ...recipe.drafts, batchSize: 3 } });
    const two = await drafting(newHost(s3, trainer), 'seeds-2', { recipe: smaller }).result;
    const other = await drafting(newHost(s3, trainer), 'seeds-3', { recipe: sampled({ ...recipe, seed: 8 }) }).result;
    expect(two.drafts.sha256).toBe(one.drafts.sha256);
    expect(other.drafts.sha256).not.toBe(one.drafts.sha256);
  });

  test('the trainer killed half-way: what was done is not done again on this host', async () => {
    const many = await store.putRows(
      't/many.jsonl',
      Array.from({ length: 160 }, (_, n): Question => ({
        ...(asked[0] as Question),
        id: `m${n}`,
        question: `Is ${n} truly so?`,
      })),
    );
    const slow = { ...recipe, drafts: { ...recipe.drafts, maxNewTokens: 96, batchSize: 4 } };
    const host = newHost(s3, trainer);
    const first = drafting(host, 'half', { recipe: slow, questions: many });
    const { done } = await first.until((progress) => progress.done > 0);
    for (const pid of jobsOf(trainer)) process.kill(pid, 'SIGKILL');
    await expect(first.result).rejects.toEqual(expect.objectContaining({ type: 'GpuLost' }));
    const second = drafting(host, 'half', { recipe: slow, questions: many });
    const firstSeen = await second.until((progress) => progress.done > 0);
    expect(firstSeen.done).toBeGreaterThanOrEqual(done);
    const { drafts } = await second.result;
    const whole = await drafting(newHost(s3, trainer), 'whole', { recipe: slow, questions: many }).result;
    expect(drafts.sha256).toBe(whole.drafts.sha256);
  });

  test('cancel ends the trainer', async () => {
    const many = await store.putRows(
      't/cancel.jsonl',
      Array.from({ length: 160 }, (_, n) => ({ ...asked[0], id: `c${n}` })),
    );
    const slow = { ...recipe, drafts: { ...recipe.drafts, maxNewTokens: 96, batchSize: 4 } };
    const run = drafting(newHost(s3, trainer), 'cancelled', { recipe: slow, questions: many });
    await run.until((progress) => progress.done > 0);
    run.cancel();
    await expect(run.result).rejects.toBeInstanceOf(CancelledFailure);
    expect(jobsOf(trainer)).toEqual([]);
  });
});

describe('evaluation', () => {
  test('direct: counts over all questions, with the digest of the prompt that was asked', async () => {
    const { summary } = await evaluation('direct', {}).result;
    const items = await store.rows<EvaluatedItem>(summary.items);
    expect(items.map(({ id }) => id)).toEqual(asked.map(({ id }) => id));
    expect(summary).toMatchObject({
      name: 'A1/direct',
      n: 12,
      truthYes: 6,
      adapterSha256: null,
      templateDigest: sha256(defaultTemplates.answer),
    });
    expect(summary.correct).toBe(items.filter(({ correct }) => correct).length);
    expect(summary.unparsable).toBe(items.filter(({ answer }) => answer === null).length);
  });

  test('each mode asks another prompt and is kept under a key of its own', async () => {
    const { drafts } = await drafting(newHost(s3, trainer), 'modes').result;
    const summaries = await Promise.all([
      evaluation('modes', { name: 'B1/reasoning', mode: 'reasoning', drafts }).result,
      evaluation('modes', { name: 'B1/no-draft', mode: 'no-draft', drafts }).result,
      evaluation('modes', { name: 'B1/shuffled-draft', mode: 'shuffled-draft', drafts }).result,
    ]);
    const [reasoning, noDraft, shuffled] = summaries.map(({ summary }) => summary);
    expect(reasoning?.templateDigest).toBe(shuffled?.templateDigest);
    expect(reasoning?.templateDigest).not.toBe(noDraft?.templateDigest);
    expect(new Set(summaries.map(({ summary }) => summary.items.uri)).size).toBe(3);
  });

  test('with drafts missing is refused before the trainer starts', async () => {
    const run = evaluation('no-drafts', { mode: 'reasoning', drafts: await store.putRows('t/none.jsonl', []) });
    await expect(run.result).rejects.toMatchObject({ name: 'InvalidData' });
    expect(run.beats).toEqual([]);
  });

  test('with an adapter of another base is refused', async () => {
    const folder = s3.newFolder();
    await mkdir(join(folder, 'x'));
    const { putFolder } = await import('../../../activities/store/folders.ts');
    const notAnAdapter = await putFolder(store, folder, 't/not-an-adapter');
    const run = evaluation('bad-adapter', { adapter: notAnAdapter });
    await expect(run.result).rejects.toEqual(expect.objectContaining({ type: 'InvalidJob' }));
  });
});
