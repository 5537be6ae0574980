import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createExtendEvaluation, createJoinRows } from '../../../activities/datasets/extend-evaluation.ts';
import { createPrepareData } from '../../../activities/datasets/prepare-data.ts';
import type { DataDeps } from '../../../activities/datasets/locate-source.ts';
import { createS3Client } from '../../../activities/store/client.ts';
import type { Store } from '../../../activities/store/store.ts';
import { Recipe } from '../../../config/recipe.ts';
import type { Question } from '../../../domain/records.ts';
import { startTestS3 } from '../../setup/s3.ts';
import type { TestS3 } from '../../setup/s3.ts';

let s3: TestS3;
let store: Store;
let deps: DataDeps;
let recipe: Recipe;
beforeAll(async () => {
  s3 = await startTestS3();
  store = s3.newStore();
  const folder = s3.newFolder();
  const source = join(folder, 'questions.json');
  const rows = Array.from({ length: 200 }, (_, i) => ({
    qid: `q${String(i)}`,
    question: `Is number ${String(i)} odd?`,
    answer: i % 2 === 1,
    facts: [],
    decomposition: [],
  }));
  writeFileSync(source, JSON.stringify(rows));
  recipe = Recipe.parse({ name: 'extend', description: 'test', data: { source, samples: 20, evaluationLimit: 20 } });
  deps = { s3: createS3Client(s3.surroundings.s3, 2), surroundings: { tinyBase: folder }, environment: {} };
});
afterAll(async () => {
  deps.s3.destroy();
  await s3.stop();
});

it('draws held-out questions that were not evaluated, until none is left', async () => {
  const scope = { run: 'extend', phase: 'data', attempt: 1 } as const;
  const { train, evaluation, report } = await createPrepareData(store, deps)({ scope, recipe });
  const held = report.steps[0]?.removed[0]?.counts ?? { yes: 0, no: 0 };
  const extend = createExtendEvaluation(store, deps);
  const joinRows = createJoinRows(store);

  const more = await extend({ scope, recipe, evaluated: evaluation, items: 15, name: 'A1-extension-1' });
  expect(more.rows).toBe(15);
  const joined = await joinRows({ scope, name: 'evaluation-A1-extension-1', parts: [evaluation, more] });
  const rest = await extend({ scope, recipe, evaluated: joined, items: 10_000, name: 'A1-extension-2' });
  const all = await joinRows({ scope, name: 'evaluation-A1-extension-2', parts: [joined, rest] });

  expect(all.rows).toBe(held.yes + held.no);
  const ids = (await store.rows<Question>(all)).map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
  const trained = new Set((await store.rows<Question>(train)).map(({ id }) => id));
  expect(ids.filter((id) => trained.has(id))).toEqual([]);
  await expect(extend({ scope, recipe, evaluated: all, items: 5, name: 'A1-extension-3' })).rejects.toThrow(
    'none is left',
  );
});
