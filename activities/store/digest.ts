import { Worker } from 'node:worker_threads';
import type { DigestAnswer, DigestMessage } from './digest-thread.ts';

/** Bytes in shared memory: the thread works on them where they lie, until the promise resolves. */
type Shared = Uint8Array<SharedArrayBuffer>;

/** A new file that is hashed and written beside the event loop, which meanwhile moves the next bytes. It is made by the first write. */
export type HashingFile = {
  /** In the order of the places. @throws what the system says when they cannot be written */
  write: (bytes: Shared, start: number) => Promise<void>;
  /** Closes it; also after a failure. Further calls have the same answer. @returns SHA-256, hex */
  end: () => Promise<string>;
};

/** A file that is read and hashed beside the event loop. */
export type HashedFile = {
  bytes: number;
  /** Fills memory from a place of the file; calls in the order of the places. @returns CRC32 */
  read: (into: Shared, start: number) => Promise<number>;
  /** Closes it; also after a failure. Further calls have the same answer. */
  end: () => Promise<{ sha256: string; isUnchanged: boolean }>;
};

type Waiting = { resolve: (result: unknown) => void; reject: (error: Error) => void };

let thread: { ask: (message: DigestMessage) => Promise<unknown> } | undefined;
let lastId = 0;

/** One thread for the process: a core hashes faster than a disk writes. It keeps no process alive. */
function startThread() {
  const worker = new Worker(new URL('digest-thread.ts', import.meta.url));
  const waiting: Waiting[] = [];
  worker.unref();
  worker.on('message', (answer: DigestAnswer) => {
    const next = waiting.shift();
    if ('error' in answer) next?.reject(Object.assign(new Error(answer.error.message), { code: answer.error.code }));
    else next?.resolve(answer.result);
    if (waiting.length === 0) worker.unref();
  });
  worker.on('error', (error: Error) => {
    thread = undefined;
    for (const { reject } of waiting) reject(error);
  });
  return {
    ask: (message: DigestMessage): Promise<unknown> => {
      worker.ref();
      return new Promise((resolve, reject) => {
        waiting.push({ resolve, reject });
        worker.postMessage(message);
      });
    },
  };
}

function begin() {
  const { ask } = (thread ??= startThread());
  const id = (lastId += 1);
  let ended: ReturnType<HashedFile['end']> | undefined;
  return {
    id,
    ask,
    end: () => (ended ??= ask({ id, end: true }) as ReturnType<HashedFile['end']>),
  };
}

/** Begins a file at a path where there is none. */
export function createHashed(path: string): HashingFile {
  const { id, ask, end } = begin();
  return {
    write: async (write, start) => {
      await ask({ id, write, start, to: path });
    },
    end: async () => (await end()).sha256,
  };
}

/** Opens a file to send it up. @throws what the system says when it cannot be opened */
export async function openHashed(path: string): Promise<HashedFile> {
  const { id, ask, end } = begin();
  try {
    const bytes = (await ask({ id, open: path })) as number;
    return { bytes, read: (read, start) => ask({ id, read, start }) as Promise<number>, end };
  } catch (error) {
    await end();
    throw error;
  }
}
