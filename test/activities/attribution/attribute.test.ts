import { afterAll, beforeAll, expect, test } from 'vitest';
import type { GpuActivities } from '../../../activities/contract.ts';
import { createJudgeGate } from '../../../activities/gates/judge-gate.ts';
import type { Recipe } from '../../../config/recipe.ts';
import { draftShare } from '../../../domain/attribution.ts';
import { countItems } from '../../../domain/evaluation.ts';
import type {
  ArtefactRef,
  AttributedItem,
  Draft,
  EvaluatedItem,
  EvaluationSummary,
  Question,
} from '../../../domain/records.ts';
import { draftRow, questionRows, responseText } from '../../domain/rows.ts';
import { jobsOf, newHost, smallRecipe, startActivity } from '../../setup/gpu.ts';
import type { TestHost } from '../../setup/gpu.ts';
import { startTrainingRig } from '../../setup/training-rig.ts';
import type { TrainingRig } from '../../setup/training-rig.ts';

let rig: TrainingRig;
let recipe: Recipe;
let asked: { questions: ArtefactRef; drafts: ArtefactRef; evaluation: ArtefactRef };
let adapters: { before: ArtefactRef; after: ArtefactRef };

const questions = questionRows(8, 8);
const drafts = questions.map(({ id, question }): Draft => ({ ...draftRow(id, 'no'), text: `Größer 🦙: ${question}` }));
/** Two answers cannot be read. */
const evaluated = questions.map(({ id, answer }, index): EvaluatedItem => {
  const text = index < 2 ? 'Who knows.' : responseText(answer);
  return { id, truth: answer, answer: index < 2 ? null : answer, correct: index >= 2, finish: 'stop', text };
});
const recipeWith = (attribution: unknown): Recipe =>
  smallRecipe(rig.base, {
    phaseA: { epochs: 4, learningRate: 3e-2, batchSize: 8, gradientAccumulation: 1, maxLength: 128 },
    phaseC: { experiments: { attribution } },
  });

beforeAll(async () => {
  rig = await startTrainingRig();
  recipe = recipeWith({ items: 16, steps: 16, batchSize: 16 });
  asked = {
    questions: await rig.store.putRows('t/questions.jsonl', questions satisfies Question[]),
    drafts: await rig.store.putRows('t/drafts.jsonl', drafts),
    evaluation: await rig.store.putRows('t/evaluated.jsonl', evaluated),
  };
  const train = async (run: string, learningRate: number): Promise<ArtefactRef> => {
    const scope = { run, phase: 'A', attempt: 1 } as const;
    const own = { ...recipe, phaseA: { ...recipe.phaseA, learningRate } };
    const input = { scope, recipe: own, phase: 'A', corpus: rig.corpus, heldOut: null, adapter: null } as const;
    const { result } = startActivity(
      (given: Parameters<GpuActivities['trainSft']>[0]) => newHost(rig.s3, rig.trainer).activities.trainSft(given),
      input,
    );
    return (await result).adapter;
  };
  adapters = { before: await train('before', 1e-3), after: await train('after', 3e-2) };
});
afterAll(() => rig.stop());

type Input = Parameters<GpuActivities['attribute']>[0];
const attribution = (run: string, changed: Partial<Input> = {}, host: TestHost = newHost(rig.s3, rig.trainer)) => {
  const scope = { run, phase: 'C', attempt: 1 } as const;
  const input: Input = { scope, recipe, name: 'after', ...asked, adapter: adapters.after, ...changed };
  return startActivity((given: Input) => host.activities.attribute(given), input);
};

test('the same answers under both adapters, in S3, with what was left out; a repetition runs nothing', async () => {
  const { summary, gpuSeconds } = await attribution('pair').result;
  expect(summary).toMatchObject({
    n: 14,
    leftOut: { noAnswer: 2, noDraft: 0 },
    steps: 16,
    adapterSha256: adapters.after.sha256,
  });
  expect(gpuSeconds).toBeGreaterThan(0);
  const rows = await rig.store.rows<AttributedItem>(summary.rows);
  for (const row of rows) {
    const draft = drafts.find(({ id }) => id === row.id)?.text;
    expect(row.tokens.map(({ text }) => text).join('')).toContain(`Student draft: ${draft ?? ''}\nReasoning:`);
    expect(
      row.tokens
        .filter((token) => token.draft)
        .map(({ text }) => text)
        .join('')
        .trim(),
    ).toBe(draft);
    expect(draftShare(row)).toBeGreaterThan(0);
  }
  const before = await attribution('pair', { name: 'before', adapter: adapters.before }).result;
  const beforeRows = await rig.store.rows<AttributedItem>(before.summary.rows);
  expect(beforeRows.map(({ id }) => id)).toEqual(rows.map(({ id }) => id));
  expect(beforeRows.map(draftShare)).not.toEqual(rows.map(draftShare));

  const again = attribution('pair');
  expect(await again.result).toEqual({ summary, gpuSeconds });
  expect(again.beats).toEqual([]);

  const evaluation = async (mode: string): Promise<EvaluationSummary> => {
    const items = await rig.store.putRows(`t/${mode}.jsonl`, evaluated);
    return { name: `C1/${mode}`, items, ...countItems(evaluated), templateDigest: 't', adapterSha256: 'a' };
  };
  const evidence = await createJudgeGate(rig.store)({
    scope: { run: 'pair', phase: 'C', attempt: 1 },
    recipe: {
      ...recipe,
      gates: { ...recipe.gates, C: { criteria: [{ metric: 'parsable', atLeast: 0, confidence: 0.95 }] } },
    },
    gate: 'C',
    evaluations: [await evaluation('reasoning'), await evaluation('no-draft'), await evaluation('shuffled-draft')],
    roles: { candidate: 'C1/reasoning', noDraft: 'C1/no-draft', shuffledDraft: 'C1/shuffled-draft' },
    dataReport: { steps: [] },
    trainedTemplateDigest: 't',
    adapter: adapters.after,
    experiments: { attribution: { before: before.summary, after: summary } },
    fixesLeft: 0,
  });
  expect(evidence.experiments?.map(({ name, n }) => [name, n])).toEqual([
    ['no-draft', 16],
    ['shuffled-draft', 16],
    ['shuffled-draft', 16],
    ['attribution', 14],
    ['attribution', 14],
    ['attribution', 14],
  ]);
  expect(evidence.parts?.attributions).toMatch(/^[0-9a-f]{64}$/);
});

test('the trainer killed half-way: what was done is not done again on this host', async () => {
  const many = questionRows(60, 60);
  const answered = many.map(({ id, answer }): EvaluatedItem => {
    return { ...(evaluated[2] as EvaluatedItem), id, truth: answer, answer, text: `The answer is: ${answer}` };
  });
  const slow = {
    recipe: recipeWith({ items: 120, steps: 32, batchSize: 8 }),
    questions: await rig.store.putRows('t/many.jsonl', many),
    drafts: await rig.store.putRows(
      't/many-drafts.jsonl',
      many.map(({ id }) => draftRow(id, 'no')),
    ),
    evaluation: await rig.store.putRows('t/many-evaluated.jsonl', answered),
  };
  const host = newHost(rig.s3, rig.trainer);
  const first = attribution('half', slow, host);
  const { done } = await first.until((progress) => progress.done > 0);
  for (const pid of jobsOf(rig.trainer)) process.kill(pid, 'SIGKILL');
  await expect(first.result).rejects.toEqual(expect.objectContaining({ type: 'GpuLost' }));
  const second = attribution('half', slow, host);
  const firstSeen = await second.until((progress) => progress.done > 0);
  expect(firstSeen).toMatchObject({ kind: 'attribute', total: 120 });
  expect(firstSeen.done).toBeGreaterThan(done);
  const { summary } = await second.result;
  const whole = await attribution('whole', slow).result;
  expect(summary.rows.sha256).toBe(whole.summary.rows.sha256);
});

test('answers that nobody can read leave nothing to attribute, and no job', async () => {
  const unread = evaluated.map((item): EvaluatedItem => ({ ...item, answer: null, text: '?' }));
  const evaluation = await rig.store.putRows('t/unread.jsonl', unread);
  const run = attribution('unread', { evaluation });
  expect((await run.result).summary).toMatchObject({ n: 0, leftOut: { noAnswer: 16 } });
  expect(run.beats).toEqual([]);
});
