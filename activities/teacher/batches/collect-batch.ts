import { Reliability } from '../../../config/reliability.ts';
import type { Recipe } from '../../../config/recipe.ts';
import type { ApiActivities, BatchFile, BatchLeft, Scope } from '../../contract.ts';
import { folderOf, payerOf } from '../../scope.ts';
import { inChunks, inParallel } from '../../store/parallel.ts';
import type { Store } from '../../store/store.ts';
import { connectTeacher } from '../connect.ts';
import type { TeacherConnection } from '../connect.ts';
import type { TeacherDeps } from '../open-stage.ts';
import { trackProgress } from '../progress.ts';
import { mostTokensOf } from '../requests.ts';
import { keepPaid } from '../response-store.ts';
import { teacherFailure } from '../teacher-failure.ts';
import type { CallFault } from '../teacher-failure.ts';
import type { CollectedRow } from './collected.ts';
import { linesAt } from './download-lines.ts';
import { readLine } from './lines.ts';
import type { InputLine, ReadLine } from './lines.ts';

/** Lines read before they are stored together, so that memory does not grow with the batch. */
const linesAtOnce = 256;
const storesAtOnce = 32;

/**
 * Stores what a batch answered as live calls do, before it is used, and writes what came of each of its requests. May be
 * repeated: the files stay at the provider.
 */
export const createCollectBatch =
  ({ store, openai }: TeacherDeps): ApiActivities['collectBatch'] =>
  async ({ scope, recipe, file, ...left }) => {
    const connection = connectTeacher(openai, recipe.teacher);
    const progress = trackProgress(file.input.rows, 'collecting a batch');
    let [answered, rejection] = [0, undefined as CallFault | undefined];
    const keep = keeping(store, scope, recipe);
    async function* collect(): AsyncGenerator<CollectedRow> {
      const sent = await sentLines(store, file, recipe);
      const isNews = createIsNews();
      for await (const all of inChunks(readLines(connection, left, sent, file), linesAtOnce)) {
        const lines = all.filter(isNews);
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

/** What the files say of each request, as they come over the network. */
async function* readLines(
  connection: TeacherConnection,
  { files, errorFile }: BatchLeft,
  sent: Awaited<ReturnType<typeof sentLines>>,
  { price }: BatchFile,
): AsyncGenerator<ReadLine> {
  const all = [
    ...files.map((id) => ({ id, needed: true })),
    ...(errorFile === undefined ? [] : [{ id: errorFile, needed: false }]),
  ];
  for (const file of all) {
    for await (const text of linesAt(connection, file)) {
      const line = readLine(text, sent, price);
      if (line !== null) yield line;
    }
  }
}

/** One line counts for each request, and an answer more than a fault, however often a provider names it. */
function createIsNews(): (line: ReadLine) => boolean {
  const answered = new Set<string>();
  const faulty = new Set<string>();
  return (line) => {
    const known = 'response' in line ? answered : faulty;
    if (answered.has(line.digest) || known.has(line.digest)) return false;
    known.add(line.digest);
    return true;
  };
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
