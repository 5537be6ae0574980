import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { GetObjectCommand } from '@aws-sdk/client-s3';
import type { S3Client } from '@aws-sdk/client-s3';
import type { HttpRequest } from '@smithy/core/protocols';
import { openDigest } from './digest.ts';
import type { Written } from './files.ts';
import { putBodyInto } from './http-handler.ts';
import { PIECE_BYTES, allEnded, movePieces } from './pieces.ts';
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
  const digest = openDigest();
  try {
    let found = bytes;
    await movePieces(bytes, async (piece, inTurn) => {
      if (found !== bytes) return;
      const size = await receive(client, source, piece, bytes);
      if (size !== bytes) found = size;
      else await allEnded([writeAll(file, piece), inTurn(() => digest.update(piece.bytes))]);
    });
    return { bytes: found, sha256: found === bytes ? await digest.end() : NOT_READ };
  } finally {
    await digest.end();
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
async function writeAll(file: FileHandle, { bytes, start }: Piece): Promise<void> {
  let written = 0;
  while (written < bytes.length) {
    written += (await file.write(bytes, written, bytes.length - written, start + written)).bytesWritten;
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
