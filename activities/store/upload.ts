import { stat } from 'node:fs/promises';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  PutObjectCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import type { CompletedPart, S3Client } from '@aws-sdk/client-s3';
import { failure } from '../failure.ts';
import { checkedAsTaken } from './checksums.ts';
import { openHashed } from './digest.ts';
import type { HashedFile } from './digest.ts';
import type { Written } from './files.ts';
import { PIECE_BYTES, movePieces } from './pieces.ts';
import type { Piece } from './pieces.ts';
import { checksumOf, quickPut } from './quick-requests.ts';
import type { QuickPut, Taken } from './quick-requests.ts';
import { etagOf } from './storage-failure.ts';

type Target = { Bucket: string; Key: string; ContentType: string };

/**
 * Sends a file up: in one request, or in parts when it is larger than a piece. The server checks the CRC32 of each, where it can.
 *
 * @returns digest and size of the very bytes that were sent
 * @throws ArtefactDamaged when the file changed meanwhile; what the SDK's retries could not mend
 */
export async function uploadFile(client: S3Client, target: Target, path: string): Promise<Written> {
  const { size } = await stat(path);
  return size > PIECE_BYTES
    ? checkedAsTaken(client, 'parts', (checksum) => sendFile(path, inParts(client, target, checksum)))
    : checkedAsTaken(client, 'whole', (checksum) => sendFile(path, whole(client, target, checksum)));
}

type Send = (file: HashedFile, checkUnchanged: () => Promise<void>) => Promise<void>;

async function sendFile(path: string, send: Send): Promise<Written> {
  const file = await openHashed(path);
  try {
    const checkUnchanged = async (): Promise<void> => {
      if ((await file.end()).isUnchanged) return;
      throw failure('ArtefactDamaged', `${path} changed while it was uploaded; nothing may write to it any more`);
    };
    await send(file, checkUnchanged);
    return { sha256: (await file.end()).sha256, bytes: file.bytes };
  } finally {
    await file.end();
  }
}

const whole =
  (client: S3Client, target: Target, checksum: 'CRC32' | 'none'): Send =>
  async (file, checkUnchanged) => {
    await movePieces(file.bytes, async ({ bytes, start }, inTurn) => {
      await put(client, { ...target, ...bodyOf(bytes, await inTurn(() => file.read(bytes, start)), checksum) });
    });
    await checkUnchanged();
  };

const inParts =
  (client: S3Client, { ContentType, ...place }: Target, checksum: 'FULL_OBJECT' | 'COMPOSITE' | 'none'): Send =>
  async (file, checkUnchanged) => {
    const checksums = checksum === 'none' ? {} : ({ ChecksumAlgorithm: 'CRC32', ChecksumType: checksum } as const);
    const { UploadId } = await client.send(new CreateMultipartUploadCommand({ ...place, ContentType, ...checksums }));
    const upload = { ...place, UploadId };
    const Parts: CompletedPart[] = [];
    try {
      await movePieces(file.bytes, async ({ index, bytes, start }, inTurn) => {
        const part = { PartNumber: index + 1 };
        const body = bodyOf(bytes, await inTurn(() => file.read(bytes, start)), checksum);
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
async function put(client: S3Client, input: QuickPut): Promise<string> {
  const { UploadId, PartNumber } = input;
  const sdk = (): Promise<Taken> =>
    PartNumber === undefined
      ? client.send(unsigned(new PutObjectCommand(input)))
      : client.send(unsigned(new UploadPartCommand({ ...input, UploadId, PartNumber })));
  return etagOf((await quickPut(client, input)) ?? (await sdk()), 'uploading', input);
}

/** A piece in the middle of memory that is used again: it can be sent as often as it must. */
function bodyOf(bytes: Piece['bytes'], crc32: number, checksum: string) {
  const Body = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const ChecksumCRC32 = checksum === 'none' ? undefined : checksumOf(crc32);
  return { Body, ContentLength: bytes.length, ChecksumCRC32 };
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
