import OpenAI from 'openai';
import { batchRefusal, batchStatus, isUnsettled } from '../../../domain/teacher-batches.ts';
import type { ApiActivities, BatchNow } from '../../contract.ts';
import { inParallel } from '../../store/parallel.ts';
import { connectTeacher } from '../connect.ts';
import type { TeacherConnection } from '../connect.ts';
import { orFailure } from '../teacher-failure.ts';
import type { TeacherDeps } from '../open-stage.ts';
import { trackProgress } from '../progress.ts';
import { faultOf } from '../teacher-failure.ts';

const callsAtOnce = 4;

/** How batches stand. */
export const createLookAtBatches =
  ({ openai }: TeacherDeps): ApiActivities['lookAtBatches'] =>
  async ({ recipe, ids }) => {
    const connection = connectTeacher(openai, recipe.teacher);
    return await ofEach(connection, ids, 'looking at batches', async (id, signal) => {
      try {
        return asNow(id, await connection.client.batches.retrieve(id, { signal }));
      } catch (error) {
        if (!(error instanceof OpenAI.NotFoundError)) throw error;
        return { id, status: 'gone', done: 0, total: 0, files: [], unsettled: true };
      }
    });
  };

/** Where there is no file, some say null, some nothing, some an empty text. */
const fileOf = (said: unknown): string[] => (typeof said === 'string' && said.trim() !== '' ? [said] : []);

function asNow(id: string, batch: OpenAI.Batch): BatchNow {
  // A server need not say everything that the type says.
  const { request_counts: counts, errors } = batch as Partial<OpenAI.Batch>;
  const status = batchStatus(batch.status);
  const files = fileOf(batch.output_file_id);
  const [errorFile] = fileOf(batch.error_file_id).filter((file) => !files.includes(file));
  return {
    ...{ id, status, files },
    done: (counts?.completed ?? 0) + (counts?.failed ?? 0),
    total: counts?.total ?? 0,
    ...(errorFile !== undefined && { errorFile }),
    ...(isUnsettled(status, files.length, counts?.completed) && { unsettled: true }),
    ...(status === 'failed' && { refusal: batchRefusal(Array.isArray(errors) ? errors : (errors?.data ?? [])) }),
  };
}

/** Asks the provider to end batches; that some have ended already is as good. */
export const createCancelBatches =
  ({ openai }: TeacherDeps): ApiActivities['cancelBatches'] =>
  async ({ recipe, ids }) => {
    const connection = connectTeacher(openai, recipe.teacher);
    await ofEach(connection, ids, 'cancelling batches', async (id, signal) => {
      try {
        await connection.client.batches.cancel(id, { signal });
      } catch (error) {
        const ended = error instanceof OpenAI.ConflictError || error instanceof OpenAI.NotFoundError;
        if (!ended && faultOf(error, connection).kind !== 'row') throw error;
      }
    });
  };

/** A call for each batch, a few at a time, with heartbeats. */
async function ofEach<Result>(
  connection: TeacherConnection,
  ids: string[],
  label: string,
  work: (id: string, signal: AbortSignal) => Promise<Result>,
): Promise<Result[]> {
  const progress = trackProgress(ids.length, label);
  try {
    return await orFailure(connection, (signal) => inParallel(ids, callsAtOnce, (id) => work(id, signal)));
  } finally {
    progress.end();
  }
}
