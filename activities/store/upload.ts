import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  PutObjectCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import type { CompletedPart, S3Client } from '@aws-sdk/client-s3';
import { failure } from '../failure.ts';
import type { Written } from './files.ts';
import { PIECE_BYTES, movePieces } from './pieces.ts';
import type { Piece } from './pieces.ts';
import { quickPut } from './quick-put.ts';
import type { QuickPut } from './quick-put.ts';

type Target = { Bucket: string; Key: string; ContentType: string };

/**
 * Sends a file up: in one request, or in parts when it is larger than a piece. The server checks the CRC32 of each.
 *
 * @returns digest and size of the very bytes that were sent
 * @throws ArtefactDamaged when the file changed meanwhile; what the SDK's retries could not mend
 */
export async function uploadFile(client: S3Client, target: Target, path: string): Promise<Written> {
  const file = await open(path);
  try {
    const before = await file.stat();
    const send = before.size > PIECE_BYTES ? sendInParts : sendWhole;
    const sha256 = await send(client, target, file, before.size, async () => {
      const after = await file.stat();
      if (after.size === before.size && after.mtimeMs === before.mtimeMs) return;
      throw failure('ArtefactDamaged', `${path} changed while it was uploaded; nothing may write to it any more`);
    });
    return { sha256, bytes: before.size };
  } finally {
    await file.close();
  }
}

type Send = (
  client: S3Client,
  target: Target,
  file: FileHandle,
  bytes: number,
  checkUnchanged: () => Promise<void>,
) => Promise<string>;

const sendWhole: Send = async (client, target, file, bytes, checkUnchanged) => {
  const sha256 = await movePieces(bytes, readFrom(file), async (piece) => {
    await put(client, { ...target, ...bodyOf(piece) });
  });
  await checkUnchanged();
  return sha256;
};

const sendInParts: Send = async (client, { ContentType, ...place }, file, bytes, checkUnchanged) => {
  const checksums = { ChecksumAlgorithm: 'CRC32', ChecksumType: 'FULL_OBJECT' } as const;
  const { UploadId } = await client.send(new CreateMultipartUploadCommand({ ...place, ContentType, ...checksums }));
  const upload = { ...place, UploadId };
  const Parts: CompletedPart[] = [];
  try {
    const sha256 = await movePieces(bytes, readFrom(file), async (piece) => {
      const part = { PartNumber: piece.index + 1 };
      const body = bodyOf(piece);
      const ETag = await put(client, { ...upload, ...part, ...body });
      Parts[piece.index] = { ...part, ETag, ChecksumCRC32: body.ChecksumCRC32 };
    });
    await checkUnchanged();
    await client.send(new CompleteMultipartUploadCommand({ ...upload, MultipartUpload: { Parts } }));
    return sha256;
  } catch (error) {
    // Parts of an upload that never ends are paid for and shown by no listing.
    await client.send(new AbortMultipartUploadCommand(upload)).catch(() => undefined);
    throw error;
  }
};

/** Fills a piece from a file. A file that ends early is noticed when it is compared with what it was. */
const readFrom =
  (file: FileHandle) =>
  async ({ bytes, start }: Piece): Promise<void> => {
    let filled = 0;
    while (filled < bytes.length) {
      const { bytesRead } = await file.read(bytes, filled, bytes.length - filled, start + filled);
      if (bytesRead === 0) return;
      filled += bytesRead;
    }
  };

/** One request, repeated by the SDK where it must be. @returns ETag */
async function put(client: S3Client, input: QuickPut): Promise<string | undefined> {
  const quick = await quickPut(client, input);
  if (quick !== null) return quick;
  const { UploadId, PartNumber } = input;
  const { ETag } = await (PartNumber === undefined
    ? client.send(unsigned(new PutObjectCommand(input)))
    : client.send(unsigned(new UploadPartCommand({ ...input, UploadId, PartNumber }))));
  return ETag;
}

/** A piece in the middle of memory that is used again: the SDK can send it as often as it must. */
function bodyOf({ bytes }: Piece) {
  const sum = Buffer.alloc(4);
  sum.writeUInt32BE(crc32(bytes));
  const Body = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  return { Body, ContentLength: bytes.length, ChecksumCRC32: sum.toString('base64') };
}

/**
 * The signature covers the CRC32 and not also a SHA-256 of the body: one checksum that the server verifies is enough against
 * damage, a second one costs both sides a fifth of the time. What may be read back is decided by the manifest's SHA-256.
 */
function unsigned<Command extends PutObjectCommand | UploadPartCommand>(command: Command): Command {
  (command as PutObjectCommand).middlewareStack.add(
    (next) => (args) => {
      const { headers } = args.request as { headers: Record<string, string> };
      headers['x-amz-content-sha256'] = 'UNSIGNED-PAYLOAD';
      return next(args);
    },
    { step: 'build', name: 'unsignedPayload' },
  );
  return command;
}
