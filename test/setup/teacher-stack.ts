import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import type { WorkflowHandle } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import type { AskInput, Asked } from '../../activities/contract.ts';
import { createS3Client } from '../../activities/store/client.ts';
import { createStore } from '../../activities/store/store.ts';
import { responseFolder } from '../../activities/teacher/response-store.ts';
import { readEnvironment } from '../../config/environment.ts';
import type { Question, TeacherResponse } from '../../domain/records.ts';
import { startStack } from '../../infra/embedded/index.ts';
import { liveRecord } from '../../infra/embedded/records.ts';
import { judgeInput } from '../teacher/judge-stage.ts';
import type { JudgeInput, Judged } from '../teacher/judge-stage.ts';
import { askInput } from '../teacher/stage.ts';
import { ownStack } from './own-stack.ts';

/** Temporal, S3 and the api worker as processes, as production has them, and a workflow of one teacher stage. */
export type TeacherStack = {
  home: string;
  client: Client;
  /** Writes the artefacts of a stage. */
  prepare(run: string, questions: Question[], recipe: Record<string, unknown>): Promise<AskInput>;
  /** Starts the workflow of a stage; its id is the run's name. */
  start(input: AskInput): Promise<WorkflowHandle<(input: AskInput) => Promise<Asked>>>;
  /** @returns seconds from the start of the workflow to its result */
  run(input: AskInput): Promise<{ asked: Asked; seconds: number }>;
  /** Writes the artefacts of a stage of the judge. */
  prepareJudge(...input: Tail<Parameters<typeof judgeInput>>): Promise<JudgeInput>;
  runJudge(input: JudgeInput): Promise<Judged>;
  rows(asked: Asked): Promise<TeacherResponse[]>;
  /** Empties the store of answers, which all runs share. */
  forgetAnswers(): Promise<void>;
  /** Process id of the api worker. */
  workerPid(): number;
  stop(): Promise<void>;
};

type Tail<List extends unknown[]> = List extends [unknown, ...infer Rest] ? Rest : never;

/**
 * @param teacher its address and the key that the worker gets
 * @param more other variables of the worker
 */
export async function startTeacherStack(
  teacher: { baseUrl: string; apiKey: string },
  more: Record<string, string> = {},
): Promise<TeacherStack> {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  const { home, env, remove } = await ownStack({
    ...{ OPENAI_BASE_URL: teacher.baseUrl, OPENAI_API_KEY: teacher.apiKey },
    ...more,
  });
  const stack = await startStack({ env, services: ['temporal', 's3', 'api'] });
  const { s3, bucket } = readEnvironment(env);
  const s3Client = createS3Client(s3);
  const store = createStore({ client: s3Client, bucket, cacheDir: join(home, 'test-cache') });
  const address = env['TEMPORAL_ADDRESS'] ?? '';
  const connection = await NativeConnection.connect({ address });
  const workflowsPath = join(import.meta.dirname, 'one-activity.ts');
  const worker = await Worker.create({ connection, taskQueue: 'test', workflowsPath });
  const polling = worker.run();
  const client = new Client({ connection: await Connection.connect({ address }) });
  const start: TeacherStack['start'] = (input) =>
    client.workflow.start('oneAsk', { taskQueue: 'test', workflowId: input.scope.run, args: [input] });
  return {
    home,
    client,
    prepare: (run, questions, recipe) => askInput(store, recipe, { run, questions }),
    start,
    async run(input) {
      const startedAt = performance.now();
      const asked = await (await start(input)).result();
      return { asked, seconds: (performance.now() - startedAt) / 1000 };
    },
    prepareJudge: (...input) => judgeInput(store, ...input),
    runJudge: (input) => {
      const options = { taskQueue: 'test', workflowId: input.scope.run, args: [input] };
      return client.workflow.execute('oneJudgement', options) as Promise<Judged>;
    },
    rows: (asked) => store.rows<TeacherResponse>(asked.responses),
    forgetAnswers: async () => {
      await store.objects.remove(await store.objects.list(responseFolder));
    },
    workerPid: () => liveRecord(home, 'api')?.pid ?? 0,
    async stop() {
      worker.shutdown();
      await polling;
      await Promise.all([connection.close(), client.connection.close()]);
      s3Client.destroy();
      await stack.stop();
      await remove();
    },
  };
}
