import { createHash } from 'node:crypto';
import type { Hash } from 'node:crypto';
import { parentPort } from 'node:worker_threads';

/** The other side of {@link openDigest}: hashes what it is shown, in order, and answers each message once. */
export type DigestMessage = { id: number; bytes: Uint8Array } | { id: number; end: true };

const hashes = new Map<number, Hash>();

parentPort?.on('message', (message: DigestMessage) => {
  const hash = hashes.get(message.id) ?? createHash('sha256');
  if ('end' in message) {
    hashes.delete(message.id);
    parentPort?.postMessage(hash.digest('hex'));
  } else {
    hashes.set(message.id, hash.update(message.bytes));
    parentPort?.postMessage('');
  }
});
