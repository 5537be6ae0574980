import { randomUUID } from 'node:crypto';
import { closeSync, createReadStream, openSync, writeSync } from 'node:fs';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { sha256 } from '../store/files.ts';
import { linesOf } from '../store/lines.ts';
import { eachInParallel } from '../store/parallel.ts';
import type { Store } from '../store/store.ts';
import type { StoredDigests } from './known-responses.ts';
import { StoredResponse, keepResponse } from './response-store.ts';

/**
 * Answers of this host on their way to S3. A killed process cannot lose what it has written to a file, so its successor
 * here pays for nothing that came back; one on another host pays again for what was on its way.
 */
export type Journal = {
  write(digest: string, response: StoredResponse): void;
  /** @param finished everything is in S3: nothing needs to be kept */
  close(finished: boolean): Promise<void>;
};

const storesAtOnce = 32;

/**
 * Brings what an earlier attempt at the stage left here to S3, and adds it to what is stored.
 *
 * @param payer scope of the stage, as in {@link StoredResponse}
 */
export async function openJournal(store: Store, payer: string, stored: Promise<StoredDigests>): Promise<Journal> {
  const folder = join(store.cacheDir, 'teacher-journal', sha256(payer).slice(0, 16));
  await mkdir(folder, { recursive: true });
  await eachInParallel(missingIn(folder, stored), storesAtOnce, async ({ digest, response }) => {
    await keepResponse(store, digest, response);
    (await stored)?.add(digest);
  });
  const file = openSync(join(folder, `${randomUUID()}.jsonl`), 'a');
  return {
    write(digest, response) {
      try {
        writeSync(file, `${JSON.stringify({ digest, response })}\n`);
      } catch {
        // A full disk must not lose an answer: S3 is the record, this is only for the moment before.
      }
    },
    async close(finished) {
      closeSync(file);
      if (finished) await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Answers in the files of a folder that are not in S3. */
async function* missingIn(folder: string, stored: Promise<StoredDigests>): AsyncGenerator<Entry> {
  for (const file of await readdir(folder)) {
    for await (const line of linesOf(createReadStream(join(folder, file), 'utf8') as AsyncIterable<string>)) {
      const entry = entryOf(line);
      if (entry !== null && (await stored)?.has(entry.digest) !== true) yield entry;
    }
  }
}

type Entry = { digest: string; response: StoredResponse };

/** Null for the last line of a killed writer, which may be cut. */
function entryOf(line: string): Entry | null {
  try {
    const { digest, response } = JSON.parse(line) as { digest: string; response: unknown };
    return { digest, response: StoredResponse.parse(response) };
  } catch {
    return null;
  }
}
