import { openDigest } from './digest.ts';
import { inParallel } from './parallel.ts';

/** Size of a part of an upload and of a range of a download. S3 wants 5 MiB or more, and takes 10,000 parts. */
export const PIECE_BYTES = 16 * 1024 * 1024;

/** Pieces of one file on their way at once: over a network, one connection is slower than the disk. */
const PIECES_OF_A_FILE = 4;

/** `bytes` is where the content lies or is to be put. Shared memory: the digest's thread reads it where it is. */
export type Piece = { index: number; start: number; bytes: Uint8Array<SharedArrayBuffer> };

/**
 * Memory that the process moves everything through: 96 MiB for large pieces, 16 MiB for small files, of which many must be on
 * their way to fill a connection's waits. Kept for ever: the digest's thread would hold on to each new buffer until its next
 * garbage collection.
 */
const large = createPool(PIECE_BYTES, 6);
const small = createPool(1024 * 1024, 16);

function createPool(bytes: number, count: number) {
  const free: Uint8Array<SharedArrayBuffer>[] = [];
  const waiting: ((memory: Uint8Array<SharedArrayBuffer>) => void)[] = [];
  let made = 0;
  return {
    bytes,
    take: (): Promise<Uint8Array<SharedArrayBuffer>> => {
      const memory = free.pop();
      if (memory) return Promise.resolve(memory);
      if (made === count) return new Promise((resolve) => waiting.push(resolve));
      made += 1;
      return Promise.resolve(new Uint8Array(new SharedArrayBuffer(bytes)));
    },
    giveBack: (memory: Uint8Array<SharedArrayBuffer>): void => {
      const next = waiting.shift();
      if (next) next(memory);
      else free.push(memory);
    },
  };
}

/** Counts and sizes; an empty file is one empty piece. */
function cut(bytes: number): { index: number; start: number; length: number }[] {
  return Array.from({ length: Math.max(1, Math.ceil(bytes / PIECE_BYTES)) }, (_, index) => {
    const start = index * PIECE_BYTES;
    return { index, start, length: Math.min(PIECE_BYTES, bytes - start) };
  });
}

/**
 * Moves a file piece by piece, several at once: `fill` puts a piece's content into memory, `drain` takes it on from
 * there while it is hashed. So what was hashed is what was moved. Memory does not grow with the file.
 *
 * @returns hex sha256 of the whole
 */
export async function movePieces(
  bytes: number,
  fill: (piece: Piece) => Promise<void>,
  drain: (piece: Piece) => Promise<void>,
): Promise<string> {
  const digest = openDigest();
  const { take, giveBack } = bytes <= small.bytes ? small : large;
  // Pieces come in any order and are hashed in theirs.
  let turn = Promise.resolve();
  const move = async ({ index, start, length }: { index: number; start: number; length: number }): Promise<void> => {
    const before = turn;
    let pass = (): void => undefined;
    turn = new Promise((resolve) => (pass = resolve));
    const memory = await take();
    try {
      const piece = { index, start, bytes: memory.subarray(0, length) };
      await fill(piece);
      await allEnded([drain(piece), before.then(() => digest.update(piece.bytes))]);
    } finally {
      pass();
      giveBack(memory);
    }
  };
  try {
    await inParallel(cut(bytes), PIECES_OF_A_FILE, move);
  } catch (error) {
    await digest.end();
    throw error;
  }
  return digest.end();
}

/** Like Promise.all, but the memory is nobody's any more when it rejects. */
async function allEnded(works: readonly Promise<void>[]): Promise<void> {
  for (const outcome of await Promise.allSettled(works)) if (outcome.status === 'rejected') throw outcome.reason;
}
