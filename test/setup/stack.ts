import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startStack, stackEnvironment } from '../../infra/embedded/index.ts';
import type { ServiceName } from '../../infra/embedded/index.ts';

const portVariables = ['RATCHET_TEMPORAL_PORT', 'RATCHET_TEMPORAL_UI_PORT', 'RATCHET_S3_PORT', 'RATCHET_TEACHER_PORT'];

/** @returns a TCP port of this machine that nobody listens on */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** The process environment without anything that would point a test at a server of the user's. */
export async function freshEnvironment(): Promise<Record<string, string>> {
  const inherited = Object.entries(process.env).filter(([name]) => !/^(TEMPORAL_|AWS_|OPENAI_|RATCHET_)/.test(name));
  const env = Object.fromEntries(inherited) as Record<string, string>;
  for (const variable of portVariables) env[variable] = String(await freePort());
  env['RATCHET_HOME'] = mkdtempSync(join(tmpdir(), 'ratchet-test-'));
  return env;
}

/**
 * A stack of its own, on free ports and an empty home, for one test file.
 *
 * @returns the environment that clients of it need, and how to end it (which also removes the home)
 */
export async function startTestStack(services: readonly ServiceName[]) {
  const env = await freshEnvironment();
  const stack = await startStack({ env, services });
  const stop = async (): Promise<void> => {
    await stack.stop();
    rmSync(stack.home, { recursive: true, force: true });
  };
  return { env: stackEnvironment(env), home: stack.home, stop };
}
