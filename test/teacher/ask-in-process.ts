import type { AskInput } from '../../activities/contract.ts';
import { createS3Client } from '../../activities/store/client.ts';
import { createStore } from '../../activities/store/store.ts';
import type { Surroundings } from '../../config/environment.ts';
import { judgePairs } from './judge-stage.ts';
import type { JudgeInput } from './judge-stage.ts';
import { ask } from './stage.ts';

/** One `askTeacher` or `judgePairs` in a process of its own, to be killed. */
const job = JSON.parse(process.env['ASK_JOB'] ?? '') as {
  surroundings: Surroundings;
  cacheDir: string;
  baseUrl: string;
  input: AskInput | JudgeInput;
};
const client = createS3Client(job.surroundings.s3);
const store = createStore({ client, bucket: job.surroundings.bucket, cacheDir: job.cacheDir });
if ('before' in job.input) await judgePairs(store, { baseUrl: job.baseUrl }, job.input);
else await ask(store, { baseUrl: job.baseUrl }, job.input);
