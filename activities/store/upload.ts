import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  PutObjectCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import type { CompletedPart, S3Client } from '@aws-sdk/client-s3';
import { failure } from '../failure.ts';
import { openHashed } from './digest.ts';
import type { HashedFile } from './digest.ts';
import type { Written } from './files.ts';
import { PIECE_BYTES, movePieces } from './pieces.ts';
import type { Piece } from './pieces.ts';
import { checksumOf, quickPut } from './quick-requests.ts';
import type { QuickPut } from './quick-requests.ts';

type Target = { Bucket: string; Key: string; ContentType: string };

/**
 * Sends a file up: in one request, or in parts when it is larger than a piece. The server checks the CRC32 of each.
 *
 * @returns digest and size of the very bytes that were sent
 * @throws ArtefactDamaged when the file changed meanwhile; what the SDK's retries could not mend
 */
export async function uploadFile(client: S3Client, target: Target, path: string): Promise<Written> {
  const file = await openHashed(path);
  try {
    const checkUnchanged = async (): Promise<void> => {
      if ((await file.end()).isUnchanged) return;
      throw failure('ArtefactDamaged', `${path} changed while it was uploaded; nothing may write to it any more`);
    };
    await (file.bytes > PIECE_BYTES ? sendInParts : sendWhole)(client, target, file, checkUnchanged);
    return { sha256: (await file.end()).sha256, bytes: file.bytes };
  } finally {
    await file.end();
  }
}

type Send = (client: S3Client, target: Target, file: HashedFile, checkUnchanged: () => Promise<void>) => Promise<void>;

const sendWhole: Send = async (client, target, file, checkUnchanged) => {
  await movePieces(file.bytes, async ({ bytes, start }, inTurn) => {
    await put(client, { ...target, ...bodyOf(bytes, await inTurn(() => file.read(bytes, start))) });
  });
  await checkUnchanged();
};

const sendInParts: Send = async (client, { ContentType, ...place }, file, checkUnchanged) => {
  const checksums = { ChecksumAlgorithm: 'CRC32', ChecksumType: 'FULL_OBJECT' } as const;
  const { UploadId } = await client.send(new CreateMultipartUploadCommand({ ...place, ContentType, ...checksums }));
  const upload = { ...place, UploadId };
  const Parts: CompletedPart[] = [];
  try {
    await movePieces(file.bytes, async ({ index, bytes, start }, inTurn) => {
      const part = { PartNumber: index + 1 };
      const body = bodyOf(bytes, await inTurn(() => file.read(bytes, start)));
      const ETag = await put(client, { ...upload, ...part, ...body });
      Parts[index] = { ...part, ETag, ChecksumCRC32: body.ChecksumCRC32 };
    });
    await checkUnchanged();
    await client.send(new CompleteMultipartUploadCommand({ ...upload, MultipartUpload: { Parts } }));
  } catch (error) {
    // Parts of an upload that never ends are paid for and shown by no listing.
    await client.send(new AbortMultipartUploadCommand(upload)).catch(() => undefined);
    throw error;
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

/** A piece in the middle of memory that is used again: it can be sent as often as it must. */
function bodyOf(bytes: Piece['bytes'], crc32: number) {
  const Body = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  return { Body, ContentLength: bytes.length, ChecksumCRC32: checksumOf(crc32) };
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
