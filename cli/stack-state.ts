import { stackSettings, stackStatus } from '../infra/embedded/index.ts';
import type { Environment } from '../infra/embedded/index.ts';

/** Whether the embedded stack is up and ready at this environment's home. */
export const stackIsUp = (env: Environment): boolean =>
  stackStatus(stackSettings(env).home).some(
    ({ name, running, state }) => name === 'supervisor' && running && state === 'ready',
  );
