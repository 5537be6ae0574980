import { createHash } from 'node:crypto';
import type { Hash } from 'node:crypto';
import { closeSync, fstatSync, openSync, readSync, writeSync } from 'node:fs';
import type { Stats } from 'node:fs';
import { parentPort } from 'node:worker_threads';
import { crc32 } from 'node:zlib';

/** The other side of `digest.ts`: one answer to each message, in order. */
export type DigestMessage = { id: number } & (
  | { open: string }
  | { read: Uint8Array; start: number }
  | { write: Uint8Array; start: number; to: string }
  | { end: true }
);
export type DigestAnswer = { result: unknown } | { error: { message: string; code: string | undefined } };

/** `before`: of a file that is read. */
type Task = { hash: Hash; file?: { descriptor: number; before?: Stats } };
/** Hashed and then written at once: the second time it comes from the cache. */
const BLOCK_BYTES = 256 * 1024;
const tasks = new Map<number, Task>();

parentPort?.on('message', (message: DigestMessage) => {
  let answer: DigestAnswer;
  try {
    answer = { result: work(message) };
  } catch (error) {
    const { message, code } = error as NodeJS.ErrnoException;
    answer = { error: { message, code } };
  }
  parentPort?.postMessage(answer);
});

function work(message: DigestMessage): unknown {
  const task = tasks.get(message.id) ?? { hash: createHash('sha256') };
  tasks.set(message.id, task);
  if ('open' in message) {
    const descriptor = openSync(message.open, 'r');
    const before = fstatSync(descriptor);
    task.file = { descriptor, before };
    return before.size;
  }
  if ('read' in message) {
    if (task.file) fill(task.file.descriptor, message.read, message.start);
    task.hash.update(message.read);
    return crc32(message.read);
  }
  if ('write' in message) {
    task.file ??= { descriptor: openSync(message.to, 'wx') };
    drain(task.file.descriptor, message.write, message.start, task.hash);
    return null;
  }
  tasks.delete(message.id);
  return { sha256: task.hash.digest('hex'), isUnchanged: closed(task) };
}

/** A file that ends early is noticed when it is compared with what it was. */
function fill(descriptor: number, bytes: Uint8Array, start: number): void {
  let filled = 0;
  while (filled < bytes.length) {
    const count = readSync(descriptor, bytes, filled, bytes.length - filled, start + filled);
    if (count === 0) return;
    filled += count;
  }
}

/** A full disk first takes less than it was given, and only then fails. */
function drain(descriptor: number, bytes: Uint8Array, start: number, hash: Hash): void {
  for (let block = 0; block < bytes.length; block += BLOCK_BYTES) {
    const end = Math.min(block + BLOCK_BYTES, bytes.length);
    hash.update(bytes.subarray(block, end));
    for (let at = block; at < end;) at += writeSync(descriptor, bytes, at, end - at, start + at);
  }
}

/** @returns whether a file that was read is what it was when it was opened */
function closed({ file }: Task): boolean {
  if (!file) return true;
  const { size, mtimeMs } = fstatSync(file.descriptor);
  closeSync(file.descriptor);
  return !file.before || (size === file.before.size && mtimeMs === file.before.mtimeMs);
}
