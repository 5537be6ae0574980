import { createReadStream } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { failures } from '../../domain/failures.ts';
import type { ArtefactRef } from '../../domain/records.ts';
import type { Cache } from './cache.ts';
import { linesOf } from './lines.ts';
import type { Objects } from './objects.ts';
import { isDiskFull, storageFailure, uriOf } from './storage-failure.ts';

const JSONL = 'application/x-ndjson';
/** Rows are written in chunks of about this size: a write per row would cost ten times the time. */
const CHUNK_CHARS = 1024 * 1024;

/** JSON Lines artefacts. Memory does not grow with the number of rows, except in `rows`. */
export function createRows(cache: Cache, objects: Objects, fetch: (ref: ArtefactRef) => Promise<string>) {
  /** Rows one at a time. They are cast, not checked: their digest was. */
  async function* readRows<Row>(ref: ArtefactRef): AsyncGenerator<Row> {
    const chunks = createReadStream(await fetch(ref), 'utf8') as AsyncIterable<string>;
    for await (const line of linesOf(chunks)) if (line.trim() !== '') yield JSON.parse(line) as Row;
  }

  return {
    readRows,

    /** All rows at once, for what is known to be small. */
    rows: async <Row>(ref: ArtefactRef): Promise<Row[]> => {
      const all: Row[] = [];
      for await (const row of readRows<Row>(ref)) all.push(row);
      return all;
    },

    /** Writes rows as JSON Lines, spooled through the cache. What `rows` itself throws comes out as it is. */
    putRows: async (key: string, rows: Iterable<unknown> | AsyncIterable<unknown>): Promise<ArtefactRef> => {
      const spool = await cache.scratch();
      let count = 0;
      async function* chunks(): AsyncGenerator<Buffer> {
        let text = '';
        for await (const row of rows) {
          count += 1;
          text += `${JSON.stringify(row)}\n`;
          if (text.length < CHUNK_CHARS) continue;
          yield Buffer.from(text);
          text = '';
        }
        yield Buffer.from(text);
      }
      try {
        await writeFile(spool, chunks());
        const written = await objects.putFile(key, spool, JSONL);
        await cache.adopt(spool, written.sha256);
        return { uri: uriOf({ bucket: objects.bucket, key }), ...written, rows: count };
      } catch (error) {
        await rm(spool, { force: true });
        // What is tried again finds room.
        if (isDiskFull(error)) await cache.room.clear();
        if (error instanceof Error && Object.hasOwn(failures, error.name)) throw error;
        throw storageFailure(error, 'writing', { bucket: objects.bucket, key });
      }
    },
  };
}
