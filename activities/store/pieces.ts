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

/** Runs when the pieces before have had their turn; pieces come in any order, and are hashed in theirs. */
type InTurn = <Result>(work: () => Promise<Result>) => Promise<Result>;

/** Moves a file piece by piece, several at once. Memory does not grow with the file; a piece's is its own until `move` resolves. */
export async function movePieces(bytes: number, move: (piece: Piece, inTurn: InTurn) => Promise<void>): Promise<void> {
  const { take, giveBack } = bytes <= small.bytes ? small : large;
  let turn = Promise.resolve();
  await inParallel(cut(bytes), PIECES_OF_A_FILE, async ({ index, start, length }) => {
    const before = turn;
    let pass = (): void => undefined;
    turn = new Promise((resolve) => (pass = resolve));
    const memory = await take();
    try {
      await move({ index, start, bytes: memory.subarray(0, length) }, async (work) => {
        await before;
        return work().finally(pass);
      });
    } finally {
      pass();
      giveBack(memory);
    }
  });
}
