import { openAsBlob } from 'node:fs';
import { randomUUID } from 'node:crypto';
import OpenAI from 'openai';
import { z } from 'zod';
import type { ApiActivities, BatchFile } from '../../contract.ts';
import { failure } from '../../failure.ts';
import { folderOf, payerOf } from '../../scope.ts';
import { sha256 } from '../../store/files.ts';
import type { Store } from '../../store/store.ts';
import { connectTeacher } from '../connect.ts';
import type { TeacherConnection } from '../connect.ts';
import type { TeacherDeps } from '../open-stage.ts';
import { orFailure } from '../teacher-failure.ts';
import { trackProgress } from '../progress.ts';
import { endpoint } from './lines.ts';

/** How far a file has come, as it lies in S3 beside it: written before each step at the provider. */
const Submission = z.object({
  by: z.string().describe('The try that works on it.'),
  mark: z.string().describe('Of stage, name and content of the file; in the metadata of its batch.'),
  since: z.number().describe('Unix milliseconds before which there was no batch of it.'),
  fileId: z.string().nullable(),
  batchId: z.string().nullable(),
});
type Submission = z.infer<typeof Submission>;

/** Hosts' and provider's clocks may differ by so much. */
const clocksMs = 3_600_000;
const uploadMs = 30 * 60_000;

/**
 * Makes one batch of a file, however often it is tried and wherever a try was killed: what was begun is on record in S3
 * before it is asked for, a creation whose answer was lost is found by its mark in the provider's list, and a try that
 * another one has overtaken cancels the batch that it made.
 *
 * @throws TeacherRejected, TeacherUnavailable (also when another try overtook this one)
 */
export const createSubmitBatch =
  ({ store, openai }: TeacherDeps): ApiActivities['submitBatch'] =>
  async ({ scope, recipe, file }) => {
    const connection = connectTeacher(openai, recipe.teacher);
    const mark = sha256(`${payerOf(scope)} ${file.name} ${file.input.sha256}`).slice(0, 32);
    const record = await openRecord(store, `${folderOf(scope)}/batches/${file.name}.submission.json`, mark);
    const progress = trackProgress(file.input.rows, 'sending a batch');
    try {
      const { batchId } = record.now;
      if (batchId !== null) return { id: batchId };
      const lost = record.again ? await findBatch(connection, mark, record.now.since) : null;
      if (lost !== null) {
        if (!(await record.write({ batchId: lost }))) throw overtaken();
        return { id: lost };
      }
      const fileId = record.now.fileId ?? (await upload(store, connection, file, mark));
      if (!(await record.write({ fileId }))) throw overtaken();
      // Not ended by a cancellation: a batch whose creation was broken off may be there all the same.
      const { id } = await orFailure(connection, () =>
        connection.client.batches.create({
          input_file_id: fileId,
          endpoint,
          completion_window: `${recipe.teacher.batch.completionWindowHours}h` as '24h',
          metadata: { ratchet: mark, run: scope.run, file: file.name },
        }),
      );
      demandId(connection, 'batch', id);
      if (await record.write({ batchId: id })) return { id };
      // The try that overtook this one may have found its batch.
      if ((await record.there())?.batchId === id) return { id };
      await orFailure(connection, () => connection.client.batches.cancel(id));
      throw overtaken();
    } finally {
      progress.end();
    }
  };

/** @throws TeacherUnavailable where a server answers without the id of what it made */
function demandId({ host }: TeacherConnection, what: string, id: unknown): void {
  if (typeof id === 'string' && id.trim() !== '') return;
  throw failure('TeacherUnavailable', `${host} answered the making of a ${what} without its id`);
}

const overtaken = () => failure('TeacherUnavailable', 'another try sends this batch; it is looked for again');

/** The record of a file, taken over by this try; `again` = an earlier one has been at it. That of another content is replaced. */
async function openRecord(store: Store, key: string, mark: string) {
  const by = randomUUID();
  const found = await store.getJson(key);
  const earlier = Submission.safeParse(found?.value).data;
  const again = earlier?.mark === mark;
  let now: Submission = again ? { ...earlier, by } : { by, mark, since: Date.now(), fileId: null, batchId: null };
  let etag = found?.etag ?? null;
  /** @returns false when another try has taken the record over */
  const write = async (more: Partial<Submission>): Promise<boolean> => {
    const next = { ...now, ...more };
    const text = JSON.stringify(next);
    etag = (await store.objects.swap(key, text, etag)) ?? (await etagOf(store, key, text));
    if (etag !== null) now = next;
    return etag !== null;
  };
  if (!(await write({}))) throw overtaken();
  return {
    again,
    write,
    there: async (): Promise<Submission | undefined> => Submission.safeParse((await store.getJson(key))?.value).data,
    get now() {
      return now;
    },
  };
}

/** A lost answer makes the SDK write again and meet its own first write. */
async function etagOf(store: Store, key: string, text: string): Promise<string | null> {
  const there = await store.objects.read(key);
  return there?.body === text ? there.etag : null;
}

/** The batch with the mark that nobody has cancelled; null when there is none. The list is newest first. */
const findBatch = ({ client, ...connection }: TeacherConnection, mark: string, since: number) =>
  orFailure({ client, ...connection }, async (signal) => {
    const seen = new Set<string>();
    for await (const batch of client.batches.list({ limit: 100 }, { signal })) {
      // A server that does not know pages gives the first one for ever.
      if (seen.has(batch.id)) break;
      seen.add(batch.id);
      const cancelled = batch.status === 'cancelling' || batch.status === 'cancelled';
      if (batch.metadata?.['ratchet'] === mark && !cancelled) return batch.id;
      if (batch.created_at * 1000 < since - clocksMs) break;
    }
    return null;
  });

/** @returns id of the file at the provider, where its name is the mark */
async function upload(
  store: Store,
  connection: TeacherConnection,
  { input }: BatchFile,
  mark: string,
): Promise<string> {
  const path = await store.fetch(input);
  return await orFailure(connection, async (signal) => {
    try {
      // Read from the disk as it is sent: it may be larger than what one wants in memory.
      const content = new File([await openAsBlob(path)], `${mark}.jsonl`);
      const options = { signal, timeout: uploadMs };
      const { id } = await connection.client.files.create({ file: content, purpose: 'batch' }, options);
      demandId(connection, 'file', id);
      return id;
    } catch (error) {
      if (!(error instanceof OpenAI.NotFoundError)) throw error;
      const fix = 'set teacher.mode: live';
      throw failure('TeacherRejected', `${connection.host} takes no files for batches (404). Fix: ${fix}`);
    }
  });
}
