import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { bundleWorkflowCode, DefaultLogger, Worker } from '@temporalio/worker';
import type { WorkflowBundleWithSourceMap } from '@temporalio/worker';
import { beforeAll, expect, test } from 'vitest';

const folder = join(import.meta.dirname, 'histories');
const files = readdirSync(folder);
let workflowBundle: WorkflowBundleWithSourceMap;
beforeAll(async () => {
  workflowBundle = await bundleWorkflowCode({
    workflowsPath: new URL('../../workflows/index.ts', import.meta.url).pathname,
    logger: new DefaultLogger('ERROR'),
  });
});

/** The run's own name is not in its history, but its children are called after it. */
const replay = (text: string) =>
  Worker.runReplayHistory({ workflowBundle }, JSON.parse(text), /"([^"/]+)\/phaseA-1"/.exec(text)?.[1]);
const read = (file: string): string => readFileSync(join(folder, file), 'utf8');

test('there are histories of the programme, of each phase and of an ablation', () => {
  expect(files.map((file) => basename(file, '.json'))).toEqual(
    expect.arrayContaining([
      ...['demo', 'demo-phaseA-1', 'demo-phaseB-1', 'demo-phaseB-2', 'demo-phaseC-1'],
      ...['demo-phaseC-1-experiments', 'ablation'],
    ]),
  );
});

test.each(files)('%s replays', async (file) => {
  await replay(read(file));
});

test('a history that this code would not have made is noticed', async () => {
  const tampered = read('demo-phaseA-1.json').replaceAll('"buildAnswerCorpus"', '"buildSomethingElse"');
  await expect(replay(tampered)).rejects.toMatchObject({ name: 'DeterminismViolationError' });
});
