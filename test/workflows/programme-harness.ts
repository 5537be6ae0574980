import { Client, Connection } from '@temporalio/client';
import type { WorkflowHandle } from '@temporalio/client';
import { bundleWorkflowCode, DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { expect } from 'vitest';
import type { GateName } from '../../domain/gate-types.ts';
import type { ProgrammeState, RunStart } from '../../domain/programme.ts';
import { decideUpdate, gatesQuery, statusQuery } from '../../workflows/messages.ts';
import type { GatesView } from '../../workflows/messages.ts';
import type { selfImprovement } from '../../workflows/self-improvement.ts';
import { dataConverter, workerOptions } from '../../workers/process.ts';
import { startTestStack } from '../setup/stack.ts';
import { fakeActivities } from './fake-activities.ts';
import type { Script } from './fake-activities.ts';

export type Run = WorkflowHandle<typeof selfImprovement>;

/** A real Temporal server for the file, one bundle of the workflows, and a worker per scenario. */
export async function startHarness() {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  const stack = await startTestStack(['temporal']);
  const address = stack.env['TEMPORAL_ADDRESS'] ?? '';
  // A history may hold messages of a megabyte each.
  const channelArgs = { 'grpc.max_receive_message_length': 256e6 };
  const connection = await Connection.connect({ address, channelArgs });
  const native = await NativeConnection.connect({ address });
  const client = new Client({ connection });
  const workflowBundle = await bundleWorkflowCode({
    workflowsPath: new URL('../../workflows/index.ts', import.meta.url).pathname,
    payloadConverterPath: dataConverter.payloadConverterPath,
    logger: new DefaultLogger('ERROR'),
  });
  let runs = 0;

  /** Starts a run whose activities follow the script, gives it to `play`, and ends the workers after it. */
  async function scenario(
    script: Script,
    play: (run: Run, fakes: ReturnType<typeof fakeActivities>) => Promise<void>,
    start?: (fakes: ReturnType<typeof fakeActivities>) => Promise<Partial<RunStart>>,
    workflow: 'selfImprovement' | 'ablation' = 'selfImprovement',
  ) {
    const fakes = fakeActivities(script);
    const worker = (taskQueue: string, activities: object, bundle = false) =>
      Worker.create({
        connection: native,
        ...workerOptions({ taskQueue, activities, graceMs: 0, ...(bundle && { workflowBundle }) }),
        maxHeartbeatThrottleInterval: 100,
      });
    const workers = await Promise.all([
      worker('ratchet', fakes.orchestrator, true),
      worker('ratchet-gpu', fakes.gpu),
      worker('ratchet-api', fakes.api),
    ]);
    const running = workers.map((each) => each.run());
    try {
      const args: RunStart = { recipe: 'fake', ...(await start?.(fakes)) };
      runs += 1;
      const run = await client.workflow.start<typeof selfImprovement>(workflow, {
        taskQueue: 'ratchet',
        workflowId: `run-${runs}`,
        args: [args],
      });
      await play(run, fakes);
    } finally {
      for (const each of workers) each.shutdown();
      await Promise.all(running);
    }
  }

  const stop = async (): Promise<void> => {
    await connection.close();
    await native.close();
    await stack.stop();
  };
  return { client, address, scenario, stop };
}

export const status = (run: Run): Promise<ProgrammeState> => run.query(statusQuery);
export const gates = (run: Run): Promise<GatesView> => run.query(gatesQuery);

/** Waits until the gate is open: polled through a query, since only the workflow knows. */
export async function untilGate(run: Run, gate: GateName, attempt = 1): Promise<GatesView> {
  return expect
    .poll(() => gates(run), { timeout: 30_000, interval: 50 })
    .toMatchObject({ open: { gate, attempt } })
    .then(() => gates(run));
}

export const approve = (run: Run, gate: GateName) =>
  run.executeUpdate(decideUpdate, { args: [{ gate, choice: 'approve', by: 'test' }] });
