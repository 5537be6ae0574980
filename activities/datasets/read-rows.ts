import { isUtf8 } from 'node:buffer';
import { createReadStream } from 'node:fs';
import { open, readFile, stat } from 'node:fs/promises';
import { invalid } from '../../domain/invalid.ts';
import { LineTooLong, linesOf } from '../store/lines.ts';

/** Largest file of questions; they are held in memory while a sample is drawn. */
const mostBytes = 1024 ** 3;
/** Largest JSON array: it is parsed as one text. */
const mostArrayBytes = 256 * 1024 ** 2;

const mebibytes = (bytes: number): string => `${Math.ceil(bytes / 1024 ** 2)} MiB`;
const refuse = (problem: string): Error => invalid('InvalidData', problem);
const form = 'the file must be a JSON array or JSON Lines, in UTF-8';

/** What the first bytes of a file give away, where it is no text. */
function otherKind(head: Uint8Array): string | null {
  const starts = (...bytes: number[]): boolean => bytes.every((byte, index) => head[index] === byte);
  if (starts(0xff, 0xfe) || starts(0xfe, 0xff)) return 'is in UTF-16; save it as UTF-8';
  if (starts(0x50, 0x41, 0x52, 0x31)) return 'is Parquet, which is not read; convert it to JSON Lines';
  if (starts(0x1f, 0x8b)) return 'is compressed (gzip); decompress it';
  if (starts(0x28, 0xb5, 0x2f, 0xfd)) return 'is compressed (zstd); decompress it';
  if (starts(0x50, 0x4b, 0x03, 0x04)) return 'is a ZIP archive; unpack it';
  if (head.length >= 4 && (head[1] === 0) !== (head[0] === 0) && (head[3] === 0) === (head[1] === 0))
    return 'is in UTF-16; save it as UTF-8';
  return head.includes(0) ? `holds NUL bytes, so it is no text; ${form}` : null;
}

async function headOf(path: string): Promise<Buffer> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(4096), 0, 4096, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

/** First byte of a text that belongs to no character, counted from 0. */
function firstBadByte(bytes: Uint8Array): number {
  let [good, bad] = [0, bytes.length];
  // A cut within a character makes up to three bytes more bad; the first bad byte is where nothing longer is right.
  const decodes = (length: number): boolean => {
    try {
      new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(0, length), { stream: true });
      return true;
    } catch {
      return false;
    }
  };
  while (bad - good > 1) {
    const middle = Math.floor((good + bad) / 2);
    if (decodes(middle)) good = middle;
    else bad = middle;
  }
  return good;
}

/** Row and place of what is not UTF-8. Read again for it: files that are right are read once. */
async function notUtf8(path: string): Promise<Error> {
  const bytes = await readFile(path);
  let [row, start] = [0, 0];
  while (start < bytes.length) {
    const end = bytes.indexOf(0x0a, start) < 0 ? bytes.length : bytes.indexOf(0x0a, start);
    const line = bytes.subarray(start, end);
    if (line.length > 0) row += 1;
    if (!isUtf8(line)) {
      const at = start + firstBadByte(line);
      return refuse(`row ${row} is not in UTF-8 (byte ${at + 1} of the file); save the file as UTF-8`);
    }
    start = end + 1;
  }
  return refuse('not in UTF-8; save the file as UTF-8');
}

/** Where JSON breaks off, in words that hold nothing of it: the message of JSON.parse quotes the text. */
export function jsonFault(text: string, error: unknown): string {
  const message = error instanceof Error ? error.message : '';
  const position = /position (\d+)/.exec(message)?.[1];
  if (position !== undefined) {
    const before = text.slice(0, Number(position));
    const line = before.split('\n').length;
    const column = Number(position) - before.lastIndexOf('\n');
    return line === 1 ? `wrong at column ${column}` : `wrong at line ${line}, column ${column}`;
  }
  if (/end of JSON/.test(message)) return `it ends too early, after ${text.length} characters`;
  return /^\s*[[{]/.test(text) ? 'a character is in the wrong place' : 'it does not begin with { or [';
}

function parseArray(text: string): unknown[] {
  try {
    return JSON.parse(text) as unknown[];
  } catch (error) {
    throw refuse(`not JSON: ${jsonFault(text, error)}; ${form}`);
  }
}

/** Text of a file, strictly; a file that is not UTF-8 breaks off with a TypeError. */
async function* textOf(path: string): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>)
    yield decoder.decode(chunk, { stream: true });
  yield decoder.decode();
}

async function parseLines(path: string): Promise<unknown[]> {
  const rows: unknown[] = [];
  for await (const text of linesOf(textOf(path))) {
    if (text.trim() === '') continue;
    try {
      rows.push(JSON.parse(text));
    } catch (error) {
      throw refuse(`row ${rows.length + 1} is not JSON: ${jsonFault(text, error)}; ${form}`);
    }
  }
  return rows;
}

const isEncodingFault = (error: unknown): boolean =>
  (error as NodeJS.ErrnoException).code === 'ERR_ENCODING_INVALID_ENCODED_DATA';

/**
 * Rows of a file: JSON Lines as a stream, a JSON array whole.
 *
 * @throws an error named InvalidData that says row and place, and quotes nothing of the file
 */
export async function readFileRows(path: string): Promise<unknown[]> {
  const { size } = await stat(path);
  if (size > mostBytes) throw refuse(`${mebibytes(size)}, more than ${mebibytes(mostBytes)}; take a part of it`);
  const head = await headOf(path);
  const other = otherKind(head);
  if (other !== null) throw refuse(other);
  try {
    const isArray = /^\uFEFF?\s*\[/.test(head.toString('utf8'));
    if (!isArray) return await parseLines(path);
    if (size > mostArrayBytes)
      throw refuse(
        `a JSON array of ${mebibytes(size)}, more than ${mebibytes(mostArrayBytes)}; write it as JSON Lines`,
      );
    const bytes = await readFile(path);
    if (!isUtf8(bytes)) throw await notUtf8(path);
    return parseArray(bytes.toString('utf8').replace(/^\uFEFF/, ''));
  } catch (error) {
    if (isEncodingFault(error)) throw await notUtf8(path);
    if (error instanceof LineTooLong) throw refuse(`${error.message}; ${form}`);
    throw error;
  }
}
