import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createS3Client } from '../../activities/store/client.ts';
import { createStore } from '../../activities/store/store.ts';
import type { Store } from '../../activities/store/store.ts';
import { readEnvironment } from '../../config/environment.ts';
import type { Surroundings } from '../../config/environment.ts';
import { liveRecord } from '../../infra/embedded/records.ts';
import { startTestStack } from './stack.ts';

/** A real S3 server of a test file's own, with its bucket. */
export type TestS3 = {
  surroundings: Surroundings;
  /** For processes that are to use it. */
  env: Record<string, string>;
  /** Its folder; the bucket is `s3/ratchet` in it. */
  home: string;
  /** A store with a cache of its own: another host, as it were. */
  newStore: (maxAttempts?: number, idleMs?: number) => Store;
  /** Process id of the server, for tests of outages. A killed server is started again. */
  pid: () => number;
  /** An empty folder that is removed at the end. */
  newFolder: () => string;
  stop: () => Promise<void>;
};

/** Starts versitygw on a free port; call `stop` in afterAll. */
export async function startTestS3(): Promise<TestS3> {
  const stack = await startTestStack(['s3']);
  const surroundings = readEnvironment(stack.env);
  const folder = mkdtempSync(join(tmpdir(), 'ratchet-s3-'));
  const clients: ReturnType<typeof createS3Client>[] = [];
  const newFolder = (): string => mkdtempSync(join(folder, 'f-'));
  return {
    surroundings,
    env: stack.env,
    home: stack.home,
    newFolder,
    newStore: (maxAttempts = 3, idleMs) => {
      const client = createS3Client(surroundings.s3, maxAttempts, idleMs);
      clients.push(client);
      return createStore({ client, bucket: surroundings.bucket, cacheDir: newFolder() });
    },
    pid: () => liveRecord(stack.home, 's3')?.pid ?? 0,
    stop: async () => {
      for (const client of clients) client.destroy();
      await stack.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
