import { Client, Connection } from '@temporalio/client';
import { DefaultLogger, Runtime } from '@temporalio/worker';
import { serviceNames } from '../../infra/embedded/index.ts';
import { startTestStack } from '../setup/stack.ts';
import type { TestStack } from '../setup/stack.ts';
import { temporal } from './command-line.ts';

/** Every service of the embedded stack, and a client of its Temporal. */
export type WholeStack = TestStack & {
  client: Client;
  /** Starts a workflow with the temporal command, from plain JSON. */
  begin: (type: string, run: string, input: object) => Promise<string>;
};

/** Starts it; `stop` ends everything. */
export async function startWholeStack(): Promise<WholeStack> {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  const stack = await startTestStack(serviceNames);
  const client = new Client({ connection: await Connection.connect({ address: stack.env['TEMPORAL_ADDRESS'] ?? '' }) });
  return {
    ...stack,
    client,
    begin: (type, run, input) =>
      temporal(stack.env, [
        ...['workflow', 'start', '--type', type, '--task-queue', 'ratchet'],
        ...['--workflow-id', run, '--input', JSON.stringify(input)],
      ]),
    stop: async () => {
      await client.connection.close();
      await stack.stop();
    },
  };
}
