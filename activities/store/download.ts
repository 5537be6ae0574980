import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { GetObjectCommand } from '@aws-sdk/client-s3';
import type { S3Client } from '@aws-sdk/client-s3';
import type { HttpRequest } from '@smithy/core/protocols';
import type { Written } from './files.ts';
import { putBodyInto } from './http-handler.ts';
import { PIECE_BYTES, movePieces } from './pieces.ts';
import type { Piece } from './pieces.ts';
import { isPastTheEnd } from './storage-failure.ts';

type Source = { Bucket: string; Key: string };

/** What `sha256` says when the size was wrong already. */
const NOT_READ = 'not read';

/**
 * Downloads an object into a new file, a large one in several ranges at once. A range that breaks off is asked for again by
 * the SDK's retries.
 *
 * @param expected size; undefined = ask
 * @returns what was found; an object of another size is not read
 * @throws NoSuchKey and what the SDK's retries could not mend
 */
export async function downloadFile(
  client: S3Client,
  source: Source,
  path: string,
  expected?: number,
): Promise<Written> {
  const bytes = expected ?? (await sizeOf(client, source));
  const file = await open(path, 'wx');
  try {
    let found = bytes;
    const fill = async (piece: Piece): Promise<void> => {
      if (found !== bytes) return;
      const size = await receive(client, source, piece, bytes);
      if (size !== bytes) found = size;
    };
    const sha256 = await movePieces(bytes, fill, async ({ bytes: content, start }) => {
      if (found === bytes) await writeAll(file, content, start);
    });
    return { bytes: found, sha256: found === bytes ? sha256 : NOT_READ };
  } finally {
    await file.close();
  }
}

/** From the head of a GET: the errors of a HEAD have no words. */
async function sizeOf(client: S3Client, source: Source): Promise<number> {
  const { ContentLength = 0, Body } = await client.send(new GetObjectCommand(source));
  (Body as Readable).destroy();
  return ContentLength;
}

/** A full disk first takes less than it was given, and only then fails. */
async function writeAll(file: FileHandle, content: Uint8Array, start: number): Promise<void> {
  let written = 0;
  while (written < content.length) {
    written += (await file.write(content, written, content.length - written, start + written)).bytesWritten;
  }
}

/** Gets one range into memory. @returns size of the whole object, or less when it ends within the range */
async function receive(client: S3Client, source: Source, piece: Piece, expected: number): Promise<number> {
  const last = piece.start + piece.bytes.length - 1;
  // What fits into one piece is asked for whole: an empty object has no ranges.
  const Range = expected > PIECE_BYTES ? `bytes=${piece.start}-${last}` : undefined;
  const command = new GetObjectCommand({ ...source, Range });
  command.middlewareStack.add(
    (next) => (args) => {
      putBodyInto(args.request as HttpRequest, piece.bytes);
      return next(args);
    },
    { step: 'deserialize', priority: 'low', name: 'bodyIntoMemory' },
  );
  try {
    const { ContentLength = 0, ContentRange } = await client.send(command);
    if (ContentRange === undefined) return ContentLength;
    if (ContentLength === piece.bytes.length) return Number(ContentRange.split('/')[1]);
  } catch (error) {
    if (!isPastTheEnd(error)) throw error;
  }
  // The object ends before the range does.
  return piece.start;
}
