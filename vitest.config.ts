import { defineConfig } from 'vitest/config';
import { dataFolder } from './test/setup/data-folder.ts';

/** Tests that read public data find it there; they say so where it is not. */
const env = { RATCHET_DATA: dataFolder };

export default defineConfig({
  test: {
    projects: [
      // Pure and fast: no server, no process.
      {
        test: {
          name: 'unit',
          env,
          include: ['test/{domain,config,cli}/**/*.test.ts', 'test/activities/reports/**/*.test.ts'],
        },
      },
      // Real servers and processes: one file at a time, since the machine may have two cores.
      {
        test: {
          name: 'integration',
          env,
          include: ['test/{infra,activities,teacher,workflows,integration,replay}/**/*.test.ts'],
          exclude: ['test/activities/reports/**'],
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 180_000,
          expect: { poll: { timeout: 60_000, interval: 50 } },
        },
      },
    ],
  },
});
