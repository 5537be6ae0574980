import { Worker } from 'node:worker_threads';
import type { DigestMessage } from './digest-thread.ts';

/** A SHA-256 that is computed beside the event loop, which meanwhile moves the next bytes. */
export type Digest = {
  /** Takes the bytes in the order of the calls; they lie in shared memory and may change when this resolves. */
  update: (bytes: Uint8Array<SharedArrayBuffer>) => Promise<void>;
  /** Hex; call it once, also after a failure. */
  end: () => Promise<string>;
};

type Waiting = { resolve: (answer: string) => void; reject: (error: Error) => void };

let thread: { ask: (message: DigestMessage) => Promise<string> } | undefined;
let lastId = 0;

/** One thread for the process: a core hashes faster than a disk writes. It keeps no process alive. */
function startThread() {
  const worker = new Worker(new URL('digest-thread.ts', import.meta.url));
  const waiting: Waiting[] = [];
  worker.unref();
  worker.on('message', (answer: string) => {
    waiting.shift()?.resolve(answer);
    if (waiting.length === 0) worker.unref();
  });
  worker.on('error', (error: Error) => {
    thread = undefined;
    for (const { reject } of waiting) reject(error);
  });
  return {
    ask: (message: DigestMessage): Promise<string> => {
      worker.ref();
      return new Promise((resolve, reject) => {
        waiting.push({ resolve, reject });
        worker.postMessage(message);
      });
    },
  };
}

/** Begins the SHA-256 of something that comes in pieces. */
export function openDigest(): Digest {
  const { ask } = (thread ??= startThread());
  const id = (lastId += 1);
  return {
    update: async (bytes) => {
      await ask({ id, bytes });
    },
    end: () => ask({ id, end: true }),
  };
}
