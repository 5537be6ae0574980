import { MockActivityEnvironment } from '@temporalio/testing';
import { afterEach, expect, it, vi } from 'vitest';
import { beating } from '../../activities/heartbeats.ts';

afterEach(() => vi.useRealTimers());

it('heartbeats while an activity works, and not after it', async () => {
  vi.useFakeTimers();
  const environment = new MockActivityEnvironment();
  let beats = 0;
  environment.on('heartbeat', () => (beats += 1));
  const { work } = beating({
    work: (ms: number) => new Promise((resolve) => setTimeout(resolve, ms, 'done')),
  });
  const running = environment.run(work, 12_000);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(await running).toBe('done');
  expect(beats).toBe(2);
});
