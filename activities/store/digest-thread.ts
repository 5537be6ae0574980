import { createHash } from 'node:crypto';
import type { Hash } from 'node:crypto';
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import type { Stats } from 'node:fs';
import { parentPort } from 'node:worker_threads';
import { crc32 } from 'node:zlib';

/** The other side of {@link openDigest}: one answer to each message, in order. */
export type DigestMessage = { id: number } & (
  { open: string } | { read: Uint8Array; start: number } | { update: Uint8Array } | { end: true }
);
export type DigestAnswer = { result: unknown } | { error: { message: string; code: string | undefined } };

type Task = { hash: Hash; file?: { descriptor: number; before: Stats } };
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
    task.file = { descriptor, before: fstatSync(descriptor) };
    return task.file.before.size;
  }
  if ('read' in message) {
    if (task.file) fill(task.file.descriptor, message.read, message.start);
    task.hash.update(message.read);
    return crc32(message.read);
  }
  if ('update' in message) {
    task.hash.update(message.update);
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

/** @returns whether the file is what it was when it was opened */
function closed({ file }: Task): boolean {
  if (!file) return true;
  const { size, mtimeMs } = fstatSync(file.descriptor);
  closeSync(file.descriptor);
  return size === file.before.size && mtimeMs === file.before.mtimeMs;
}
