import { readFile } from 'node:fs/promises';
import { Worker } from '@temporalio/worker';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ProgrammeState } from '../../domain/programme.ts';
import type { AblationOutcome } from '../../workflows/ablation.ts';
import { ratchet } from './command-line.ts';
import { startWholeStack } from './whole-stack.ts';
import type { WholeStack } from './whole-stack.ts';

let stack: WholeStack;
beforeAll(async () => {
  stack = await startWholeStack();
});
afterAll(() => stack.stop());

const start = (run: string, input: object) => stack.begin('ablation', run, input);

test(
  'an ablation by plain JSON, with the real trainer: table, report, and a history that replays',
  { timeout: 300_000 },
  async () => {
    const recipe = 'test/integration/quick.yaml';
    await start('ablated', { recipe, arms: ['cal-published'], overrides: { 'phaseC.learningRate': 1e-3 } });
    const { table } = (await stack.client.workflow.getHandle('ablated').result()) as AblationOutcome;
    expect(table).toMatchObject({
      n: 24,
      reference: { n: 24 },
      rows: ['plain', 'cal-published'].map((name) => ({ name, seed: 42, accuracy: { n: 24 } })),
      findings: [expect.stringContaining('plain DPO') as string, expect.stringContaining('reference') as string],
    });
    for (const { margin, chosenRatio, steps } of table?.rows ?? []) {
      expect(steps).toBeGreaterThan(0);
      expect(margin).toBeGreaterThan(0);
      expect(Number.isFinite(chosenRatio)).toBe(true);
    }

    const status = await ratchet(stack.env, ['status', 'ablated', '--json']);
    const state = JSON.parse(status.stdout) as ProgrammeState;
    const arms = state.ablation?.arms ?? [];
    expect(new Set(arms.map(({ adapter }) => adapter.sha256)).size, 'each loss trains another adapter').toBe(2);
    expect(new Set(arms.map(({ evaluation }) => evaluation.adapterSha256)).size).toBe(2);
    expect(state.promoted?.phase, 'no arm is promoted').toBe('B');
    expect(await readFile(state.report?.path ?? '', 'utf8')).toMatch(/<h2 id="compared-title">/);
    const shown = await ratchet(stack.env, ['report', 'ablated']);
    expect(shown.stdout).toMatch(/cal-published +\d/);
    expect((await ratchet(stack.env, ['status'])).stdout).toContain('ablated');

    const history = await stack.client.workflow.getHandle('ablated').fetchHistory();
    const workflowsPath = new URL('../../workflows/index.ts', import.meta.url).pathname;
    await Worker.runReplayHistory({ workflowsPath }, history, 'ablated');

    // The same arm from the finished run is the same training, to the byte.
    await start('again', {
      recipe,
      from: { run: 'ablated' },
      arms: ['plain'],
      overrides: { 'phaseC.learningRate': 1e-3 },
    });
    const again = (await stack.client.workflow.getHandle('again').result()) as AblationOutcome;
    expect(again.table?.rows[0]).toMatchObject({ margin: table?.rows[0]?.margin, accuracy: table?.rows[0]?.accuracy });
  },
);

test('input that cannot be is refused with its fix, before anything is trained', async () => {
  await start('typo', { recipe: 'demo', arm: ['plain'] });
  const failed = stack.client.workflow.getHandle('typo').result();
  const message = expect.stringMatching(/^arm: .*an ablation.*write arms/) as string;
  await expect(failed).rejects.toMatchObject({ cause: { cause: { message } } });
});
