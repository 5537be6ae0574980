import type { AskInput } from '../../activities/contract.ts';
import { createS3Client } from '../../activities/store/client.ts';
import { createStore } from '../../activities/store/store.ts';
import type { Surroundings } from '../../config/environment.ts';
import { ask } from './stage.ts';

/** One `askTeacher` in a process of its own, to be killed. */
const job = JSON.parse(process.env['ASK_JOB'] ?? '') as {
  surroundings: Surroundings;
  cacheDir: string;
  baseUrl: string;
  input: AskInput;
};
const client = createS3Client(job.surroundings.s3);
const store = createStore({ client, bucket: job.surroundings.bucket, cacheDir: job.cacheDir });
await ask(store, { baseUrl: job.baseUrl }, job.input);
