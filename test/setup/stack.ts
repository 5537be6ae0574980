import { startStack } from '../../infra/embedded/index.ts';
import type { ServiceName, Stack } from '../../infra/embedded/index.ts';
import { ownStack } from './own-stack.ts';

/** The parts of a stack, running on free ports and an empty home, for one test file. */
export type TestStack = Pick<Stack, 'home' | 'stop' | 'takeAway'> & { env: Record<string, string> };

/** Starts it; `env` is what clients of it need, `stop` also removes the home. */
export async function startTestStack(
  services: readonly ServiceName[],
  extra: Record<string, string> = {},
): Promise<TestStack> {
  const { env, home, remove } = await ownStack(extra);
  const stack = await startStack({ env, services });
  const stop = async (): Promise<void> => {
    await stack.stop();
    await remove();
  };
  return { env, home, stop, takeAway: stack.takeAway };
}
