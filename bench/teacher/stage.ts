import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import type { ApiActivities } from '../../activities/contract.ts';
import { createS3Client } from '../../activities/store/client.ts';
import { createStore } from '../../activities/store/store.ts';
import { readEnvironment } from '../../config/environment.ts';
import { Recipe } from '../../config/recipe.ts';
import type { ArtefactRef, Draft, Question, TeacherResponse } from '../../domain/records.ts';
import { startStack } from '../../infra/embedded/index.ts';
import { liveRecord } from '../../infra/embedded/records.ts';
import { ownStack } from '../../test/setup/own-stack.ts';

export type Asked = Awaited<ReturnType<ApiActivities['askTeacher']>>;
type Input = Parameters<ApiActivities['askTeacher']>[0];

/** Temporal, S3 and the api worker as processes, as production has them, and a workflow of one stage. */
export type TeacherStack = {
  /** Writes the artefacts of a stage. */
  prepare(run: string, prompts: readonly string[], teacher: Record<string, unknown>): Promise<Input>;
  /** @returns seconds from the start of the workflow to its result */
  run(input: Input): Promise<{ asked: Asked; seconds: number }>;
  rows(asked: Asked): Promise<TeacherResponse[]>;
  /** Process id of the api worker. */
  workerPid(): number;
  stop(): Promise<void>;
};

const question = (prompt: string, index: number): Question => ({
  id: `q${String(index).padStart(6, '0')}`,
  question: prompt,
  answer: 'yes',
  facts: [],
  decomposition: [],
});

const draftOf = ({ id }: Question): Draft => ({
  id,
  text: ' Answer: Yes - so it is.\nQuestions: Why? How?',
  tokens: 9,
  finish: 'stop',
  answer: 'yes',
  questions: 'Why? How?',
  strict: true,
});

/** @param baseUrl of the teacher */
export async function startTeacherStack(baseUrl: string): Promise<TeacherStack> {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  const { home, env, remove } = await ownStack({ OPENAI_BASE_URL: baseUrl, OPENAI_API_KEY: 'bench' });
  const stack = await startStack({ env, services: ['temporal', 's3', 'api'] });
  const { s3, bucket } = readEnvironment(env);
  const s3Client = createS3Client(s3);
  const cacheDir = mkdtempSync(join(tmpdir(), 'ratchet-bench-'));
  const store = createStore({ client: s3Client, bucket, cacheDir });
  const address = env['TEMPORAL_ADDRESS'] ?? '';
  const connection = await NativeConnection.connect({ address });
  const workflowsPath = new URL('one-ask.ts', import.meta.url).pathname;
  const worker = await Worker.create({ connection, taskQueue: 'bench', workflowsPath });
  const polling = worker.run();
  const clientConnection = await Connection.connect({ address });
  const client = new Client({ connection: clientConnection });
  return {
    async prepare(run, prompts, teacher) {
      const questions = prompts.map(question);
      const recipe = Recipe.parse({ name: 'bench', description: 'bench', teacher: { price: 'free', ...teacher } });
      const refs: ArtefactRef[] = [
        await store.putRows(`runs/${run}/questions.jsonl`, questions),
        await store.putRows(`runs/${run}/drafts.jsonl`, questions.map(draftOf)),
      ];
      const [questionsRef, drafts] = refs as [ArtefactRef, ArtefactRef];
      return { scope: { run, phase: 'teacher', attempt: 1 }, recipe, questions: questionsRef, drafts, attempts: 1 };
    },
    async run(input) {
      const startedAt = performance.now();
      const options = { taskQueue: 'bench', workflowId: input.scope.run, args: [input] };
      const asked = (await client.workflow.execute('oneAsk', options)) as Asked;
      return { asked, seconds: (performance.now() - startedAt) / 1000 };
    },
    rows: (asked) => store.rows<TeacherResponse>(asked.responses),
    workerPid: () => liveRecord(home, 'api')?.pid ?? 0,
    async stop() {
      worker.shutdown();
      await polling;
      await Promise.all([connection.close(), clientConnection.close()]);
      s3Client.destroy();
      await stack.stop();
      await remove();
      rmSync(cacheDir, { recursive: true, force: true });
    },
  };
}
