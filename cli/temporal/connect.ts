import { Client, Connection } from '@temporalio/client';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { stackEnvironment, stackSettings } from '../../infra/embedded/index.ts';
import type { Environment } from '../../infra/embedded/index.ts';
import { exitCodes } from '../exit-codes.ts';
import { commandProblem } from '../problem.ts';

const connectTimeoutMs = 5_000;

/** A client, and what to do when one is done with it. */
export type Connected = { client: Client; address: string; embedded: boolean; close: () => Promise<void> };

/**
 * Connects to the Temporal that the environment names (`TEMPORAL_ADDRESS`, `TEMPORAL_NAMESPACE`, `TEMPORAL_API_KEY`,
 * `TEMPORAL_TLS_*`, `TEMPORAL_PROFILE`, config file), else to the embedded one.
 *
 * @throws CommandProblem `unreachable`, saying which address was tried
 */
export async function connect(env: Environment): Promise<Connected> {
  const embedded = stackSettings(env).embedded.temporal;
  const { connectionOptions, namespace } = loadClientConnectConfig({ overrideEnvVars: stackEnvironment(env) });
  const address = connectionOptions.address ?? 'localhost:7233';
  try {
    const connection = await Connection.connect({
      ...connectionOptions,
      address,
      connectTimeout: connectTimeoutMs,
      // As the workers do: directly, unless a proxy is named for it alone.
      channelArgs: { 'grpc.enable_http_proxy': process.env['grpc_proxy'] ? 1 : 0 },
    });
    const client = new Client({ connection, ...(namespace === undefined ? {} : { namespace }) });
    return { client, address, embedded, close: () => connection.close() };
  } catch (error) {
    const reason = error instanceof Error ? error.message.split('\n')[0] : String(error);
    const fix = embedded
      ? 'Start the embedded stack: ratchet up --detach'
      : 'Check TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_API_KEY and TEMPORAL_TLS.';
    throw commandProblem(exitCodes.unreachable, `Temporal at ${address} cannot be reached (${reason ?? ''}).`, fix);
  }
}
