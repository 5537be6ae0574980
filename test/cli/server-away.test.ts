import type { Client } from '@temporalio/client';
import { expect, it } from 'vitest';
import { exitCodes } from '../../cli/exit-codes.ts';
import { commandProblem } from '../../cli/problem.ts';
import { createProgrammes } from '../../cli/temporal/programmes.ts';
import type { Snapshot } from '../../cli/temporal/snapshot.ts';
import { finished, ratchet } from './fake-context.ts';

it('waits for a server that does not answer the first look at a run that it has started', async () => {
  const away = commandProblem(exitCodes.unreachable, 'Temporal did not answer.', '');
  const looks: (() => Promise<Snapshot>)[] = [() => Promise.reject(away)];
  const snapshot = () => (looks.shift() ?? (() => Promise.resolve(finished())))();
  const ran = await ratchet(['run', 'demo', '--interval', '0.1'], { programmes: { snapshot } });
  expect(ran.code).toBe(0);
  expect(ran.err).toMatch(/did not answer\. The run is waited for/);
  // Whoever only watches may have the wrong address.
  const watched = await ratchet(['watch', 'r1'], { programmes: { snapshot: () => Promise.reject(away) } });
  expect(watched.code).toBe(exitCodes.unreachable);
});

it.each([
  [1, 'did not answer'],
  [7, 'refused'],
  [14, 'did not answer'],
])('says of gRPC error %i that Temporal %s', async (code, words) => {
  const error = Object.assign(new Error('13 calls'), { code, details: '13 calls', metadata: {} });
  const client = {
    withDeadline: (_: number, work: () => Promise<unknown>) => work(),
    workflow: { getHandle: () => ({ query: () => Promise.reject(error) }) },
  };
  const programmes = createProgrammes(client as unknown as Client, () => Promise.resolve());
  await expect(programmes.status('r1')).rejects.toMatchObject({
    ...{ name: 'CommandProblem', exitCode: exitCodes.unreachable, message: `Temporal ${words}: 13 calls` },
  });
});
