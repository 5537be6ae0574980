import { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import { Context } from '@temporalio/activity';
import { Reliability } from '../../../config/reliability.ts';
import type { Recipe } from '../../../config/recipe.ts';
import type { ApiActivities, BatchFile, Scope } from '../../contract.ts';
import { folderOf, payerOf } from '../../scope.ts';
import { linesOf } from '../../store/lines.ts';
import { inChunks, inParallel } from '../../store/parallel.ts';
import type { Store } from '../../store/store.ts';
import { connectTeacher } from '../connect.ts';
import type { TeacherConnection } from '../connect.ts';
import type { TeacherDeps } from '../open-stage.ts';
import { trackProgress } from '../progress.ts';
import { mostTokensOf } from '../requests.ts';
import { keepPaid } from '../response-store.ts';
import { endOf, teacherFailure } from '../teacher-failure.ts';
import type { CallFault } from '../teacher-failure.ts';
import type { CollectedRow } from './collected.ts';
import { readLine } from './lines.ts';
import type { InputLine, ReadLine } from './lines.ts';

/** Lines read before they are stored together, so that memory does not grow with the batch. */
const linesAtOnce = 256;
const storesAtOnce = 32;
const downloadMs = 30 * 60_000;

/**
 * Stores what a batch answered as live calls do, before it is used, and writes what came of each of its requests. May be
 * repeated: the files stay at the provider.
 */
export const createCollectBatch =
  ({ store, openai }: TeacherDeps): ApiActivities['collectBatch'] =>
  async ({ scope, recipe, file, files }) => {
    const connection = connectTeacher(openai, recipe.teacher);
    const progress = trackProgress(file.input.rows, 'collecting a batch');
    let [answered, rejection] = [0, undefined as CallFault | undefined];
    const keep = keeping(store, scope, recipe);
    async function* collect(): AsyncGenerator<CollectedRow> {
      const sent = await sentLines(store, file, recipe);
      for await (const lines of inChunks(readLines(connection, files, sent, file), linesAtOnce)) {
        for (const line of lines) {
          if ('response' in line) answered += 1;
          else rejection ??= line.rejection;
        }
        yield* await inParallel(lines, storesAtOnce, keep);
        progress.advance(lines.length);
      }
    }
    try {
      const rows = await store.putRows(`${folderOf(scope)}/batches/${file.name}.collected.jsonl`, collect());
      return { rows, answered, ...(rejection && { rejected: teacherFailure(rejection, connection).message }) };
    } finally {
      progress.end();
    }
  };

/** Most tokens of each request that was sent, by digest. */
async function sentLines(store: Store, { input }: BatchFile, { teacher }: Recipe) {
  const sent = new Map<string, { input: number; output: number }>();
  for await (const { custom_id, body } of store.readRows<InputLine>(input)) {
    const contents = body.messages.map(({ content }) => (typeof content === 'string' ? content : ''));
    sent.set(custom_id, { input: mostTokensOf(contents), output: teacher.maxTokens });
  }
  return sent;
}

/** The lines of all files that a batch left, as they come over the network. */
async function* readLines(
  connection: TeacherConnection,
  files: readonly string[],
  sent: Awaited<ReturnType<typeof sentLines>>,
  { price }: BatchFile,
): AsyncGenerator<ReadLine> {
  for (const id of files) {
    for await (const text of linesOf(download(connection, id))) {
      const line = readLine(text, sent, price);
      if (line !== null) yield line;
    }
  }
}

/** @throws TeacherRejected, TeacherUnavailable (also where it breaks off); the cancellation */
async function* download(connection: TeacherConnection, file: string): AsyncGenerator<string> {
  const signal = Context.current().cancellationSignal;
  try {
    const { body } = await connection.client.files.content(file, { signal, timeout: downloadMs });
    yield* Readable.fromWeb(body as ReadableStream, { signal }).setEncoding('utf8') as AsyncIterable<string>;
  } catch (error) {
    throw await endOf(error, connection);
  }
}

/** Stores an answer; that of an earlier one to the same request counts, and what this one cost all the same. */
function keeping(store: Store, scope: Scope, recipe: Recipe) {
  const { outageMinutes: minutes } = Reliability.parse(recipe.reliability);
  return async (line: ReadLine): Promise<CollectedRow> => {
    const { digest, paidUsd } = line;
    if ('fault' in line) return { digest, paidUsd, fault: line.fault };
    const response = await keepPaid(store, digest, { ...line.response, paidBy: payerOf(scope) }, minutes);
    return { digest, paidUsd, response };
  };
}
