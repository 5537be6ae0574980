import { open } from 'node:fs/promises';
import { GetObjectCommand, HeadObjectCommand } from '@aws-sdk/client-s3';
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
  const bytes = expected ?? (await client.send(new HeadObjectCommand(source))).ContentLength ?? 0;
  const file = await open(path, 'wx');
  try {
    let found = bytes;
    const fill = async (piece: Piece): Promise<void> => {
      if (found !== bytes) return;
      const size = await receive(client, source, piece, bytes);
      if (size !== bytes) found = size;
    };
    const sha256 = await movePieces(bytes, fill, async ({ bytes: content, start }) => {
      if (found === bytes) await file.writev([content], start);
    });
    return { bytes: found, sha256: found === bytes ? sha256 : NOT_READ };
  } finally {
    await file.close();
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
