import { createHash, hash, randomUUID } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';

/** Digest (hex sha256) and size of a file. */
export type Written = { sha256: string; bytes: number };

/** A name beside `path` that no other process uses; renamed to `path` when whole. */
export const temporaryName = (path: string): string => `${path}.partial-${process.pid}-${randomUUID().slice(0, 8)}`;

/** Writes a small file under another name, flushes it and renames it into place: readers see all of it or none. */
export async function writeWhole(path: string, text: string): Promise<void> {
  const temporary = temporaryName(path);
  await writeFile(temporary, text, { flush: true });
  await rename(temporary, path);
}

/** Streams chunks into a new file and hashes them on the way. Memory does not grow with the size. */
export async function writeHashed(
  path: string,
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): Promise<Written> {
  const hash = createHash('sha256');
  let bytes = 0;
  async function* hashed(): AsyncGenerator<Uint8Array> {
    for await (const chunk of chunks) {
      hash.update(chunk);
      bytes += chunk.length;
      yield chunk;
    }
  }
  await pipeline(hashed(), createWriteStream(path, { flags: 'wx' }));
  return { sha256: hash.digest('hex'), bytes };
}

/** Hashes a file as a stream. */
export async function hashFile(path: string): Promise<Written> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: 1024 * 1024 }) as AsyncIterable<Buffer>) {
    hash.update(chunk);
    bytes += chunk.length;
  }
  return { sha256: hash.digest('hex'), bytes };
}

/** Hex sha256 of a text's UTF-8 bytes. */
export const sha256 = (text: string): string => hash('sha256', text);
