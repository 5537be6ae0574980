import type { S3Client } from '@aws-sdk/client-s3';
import { statusOf } from './storage-failure.ts';

/**
 * How a server checks what is sent to it, best first. `none`: not at all, so that ratchet's own SHA-256 in the manifest is
 * the only check, when it is read. Servers differ: Cloudflare R2 and older MinIO know no checksum of a whole upload in parts,
 * Backblaze B2 and older Ceph refuse the headers.
 */
const ladders = { whole: ['CRC32', 'none'], parts: ['FULL_OBJECT', 'COMPOSITE', 'none'] } as const;

type Ladders = typeof ladders;

/** How far down each ladder a client's server has sent us; for as long as the client lives. */
const reached = new WeakMap<S3Client, Record<keyof Ladders, number>>();

/** Refusals that may be meant for a header. A wrong checksum is none of them: it has names of its own. */
const refusals = new Set([
  ...['NotImplemented', 'XNotImplemented', 'InvalidRequest', 'InvalidArgument', 'InvalidPart', 'MalformedXML'],
  ...['UnsupportedHeader', 'UnsupportedArgument', 'UnsupportedOperation', 'InvalidHeader', 'BadRequest'],
  // A proxy that takes out headers which it does not know breaks the signature over them.
  'SignatureDoesNotMatch',
]);

/** True when a server says that it does not take a request as it is, in words that may be meant for a header of it. */
export const isRefusal = (error: unknown): boolean => {
  const status = statusOf(error);
  if (status === 501) return true;
  if (status === undefined || status < 400 || status >= 500 || [401, 404, 408, 409, 412, 413, 429].includes(status))
    return false;
  const { name = '' } = error as { name?: string };
  // A refusal without words may be meant for anything.
  return refusals.has(name) || (status === 400 && ['Unknown', 'Error', 'UnknownError'].includes(name));
};

/**
 * Does what sends data with the best checksum that the server takes. What it refuses is tried with the next one; what it then
 * takes is remembered, so that a server is asked once.
 *
 * @param work must bear being repeated after a refusal
 * @throws the first refusal, when it was not for the checksum
 */
export async function checkedAsTaken<Kind extends keyof Ladders, Result>(
  client: S3Client,
  kind: Kind,
  work: (checksum: Ladders[Kind][number]) => Promise<Result>,
): Promise<Result> {
  const known = reached.get(client) ?? { whole: 0, parts: 0 };
  reached.set(client, known);
  const refused: unknown[] = [];
  for (const [step, checksum] of ladders[kind].entries()) {
    if (step < known[kind]) continue;
    try {
      const result = await work(checksum);
      known[kind] = Math.max(known[kind], step);
      return result;
    } catch (error) {
      if (!isRefusal(error)) throw error;
      refused.push(error);
    }
  }
  throw refused[0];
}

/** What {@link checkedAsTaken} has come to so far, in words. */
export function checksumWords(client: S3Client): string {
  const { whole, parts } = reached.get(client) ?? { whole: 0, parts: 0 };
  if (ladders.whole[whole] === 'none' || ladders.parts[parts] === 'none')
    return 'the server checks no checksum, ratchet its own';
  return ladders.parts[parts] === 'FULL_OBJECT' ? 'checksums hold' : 'checksums hold, of parts alone';
}
