import { readFile } from 'node:fs/promises';
import { Client, Connection } from '@temporalio/client';
import { DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ProgrammeState } from '../../domain/programme.ts';
import { serviceNames } from '../../infra/embedded/index.ts';
import type { AblationOutcome } from '../../workflows/ablation.ts';
import { startTestStack } from '../setup/stack.ts';
import { ratchet, temporal } from './command-line.ts';

let stack: Awaited<ReturnType<typeof startTestStack>>;
let client: Client;
beforeAll(async () => {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  stack = await startTestStack(serviceNames);
  client = new Client({ connection: await Connection.connect({ address: stack.env['TEMPORAL_ADDRESS'] ?? '' }) });
});
afterAll(async () => {
  await client.connection.close();
  await stack.stop();
});

const start = (run: string, input: object) =>
  temporal(stack.env, [
    ...['workflow', 'start', '--type', 'ablation', '--task-queue', 'ratchet'],
    ...['--workflow-id', run, '--input', JSON.stringify(input)],
  ]);

test(
  'an ablation by plain JSON, with the real trainer: table, report, and a history that replays',
  { timeout: 300_000 },
  async () => {
    const recipe = 'test/integration/quick.yaml';
    await start('ablated', { recipe, arms: ['cal-published'], overrides: { 'phaseC.learningRate': 1e-3 } });
    const { table } = (await client.workflow.getHandle('ablated').result()) as AblationOutcome;
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

    const history = await client.workflow.getHandle('ablated').fetchHistory();
    const workflowsPath = new URL('../../workflows/index.ts', import.meta.url).pathname;
    await Worker.runReplayHistory({ workflowsPath }, history, 'ablated');

    // The same arm from the finished run is the same training, to the byte.
    await start('again', {
      recipe,
      from: { run: 'ablated' },
      arms: ['plain'],
      overrides: { 'phaseC.learningRate': 1e-3 },
    });
    const again = (await client.workflow.getHandle('again').result()) as AblationOutcome;
    expect(again.table?.rows[0]).toMatchObject({ margin: table?.rows[0]?.margin, accuracy: table?.rows[0]?.accuracy });
  },
);

test('input that cannot be is refused with its fix, before anything is trained', async () => {
  await start('typo', { recipe: 'demo', arm: ['plain'] });
  const failed = client.workflow.getHandle('typo').result();
  const message = expect.stringMatching(/^arm: .*an ablation.*write arms/) as string;
  await expect(failed).rejects.toMatchObject({ cause: { cause: { message } } });
});
