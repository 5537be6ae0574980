import type { Readable } from 'node:stream';
import { GetObjectCommand } from '@aws-sdk/client-s3';
import type { S3Client } from '@aws-sdk/client-s3';
import type { HttpRequest } from '@smithy/core/protocols';
import { createHashed } from './digest.ts';
import type { Written } from './files.ts';
import { putBodyInto } from './http-handler.ts';
import { PIECE_BYTES, movePieces } from './pieces.ts';
import type { Piece } from './pieces.ts';
import { quickGet } from './quick-requests.ts';
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
  const file = createHashed(path);
  try {
    let found = bytes;
    await movePieces(bytes, async (piece, inTurn) => {
      if (found !== bytes) return;
      const size = await receive(client, source, piece, bytes);
      if (size !== bytes) found = size;
      else await inTurn(() => file.write(piece.bytes, piece.start));
    });
    return { bytes: found, sha256: found === bytes ? await file.end() : NOT_READ };
  } finally {
    await file.end();
  }
}

/** From the head of a GET: the errors of a HEAD have no words. */
async function sizeOf(client: S3Client, source: Source): Promise<number> {
  const { ContentLength = 0, Body } = await client.send(new GetObjectCommand(source));
  (Body as Readable).destroy();
  return ContentLength;
}

/** Gets one range into memory. @returns size of the whole object, or less when it ends within the range */
async function receive(client: S3Client, source: Source, piece: Piece, expected: number): Promise<number> {
  const last = piece.start + piece.bytes.length - 1;
  // What fits into one piece is asked for whole: an empty object has no ranges.
  const Range = expected > PIECE_BYTES ? `bytes=${piece.start}-${last}` : undefined;
  try {
    const { length, range } =
      (await askQuickly(client, { ...source, Range }, piece)) ?? (await askSdk(client, { ...source, Range }, piece));
    if (range === undefined) return length;
    if (length === piece.bytes.length) return Number(range.split('/')[1]);
  } catch (error) {
    if (!isPastTheEnd(error)) throw error;
  }
  // The object ends before the range does.
  return piece.start;
}

type Asked = Source & { Range: string | undefined };
/** Of the answer: bytes that came, and which ones of how many. */
type Came = { length: number; range: string | undefined };

async function askQuickly(client: S3Client, asked: Asked, { bytes }: Piece): Promise<Came | null> {
  const answer = await quickGet(client, asked, bytes);
  return answer && { length: Number(answer.headers['content-length']), range: answer.headers['content-range'] };
}

async function askSdk(client: S3Client, asked: Asked, { bytes }: Piece): Promise<Came> {
  const command = new GetObjectCommand(asked);
  command.middlewareStack.add(
    (next) => (args) => {
      putBodyInto(args.request as HttpRequest, bytes);
      return next(args);
    },
    { step: 'deserialize', priority: 'low', name: 'bodyIntoMemory' },
  );
  const { ContentLength: length = 0, ContentRange: range } = await client.send(command);
  return { length, range };
}
