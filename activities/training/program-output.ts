import type { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';

/** What is longer is given in pieces: a program must be able to say whatever it likes without filling memory. */
const MOST_CHARS = 64 * 1024;

/**
 * Follows what a program prints for people, line by line, to its end and whatever it is: nobody waits for it, and one that
 * is not read would stand still. Progress bars end their lines with `\r`. Data is read by `linesOf` (activities/store).
 */
export function followOutput(output: Readable, onLine: (line: string) => void): void {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  output.on('data', (chunk: Buffer) => {
    const lines = (rest + decoder.write(chunk)).split(/\r?\n|\r/);
    rest = lines.pop() ?? '';
    for (const line of lines) if (line !== '') onLine(line);
    if (rest.length <= MOST_CHARS) return;
    onLine(rest);
    rest = '';
  });
  output.on('close', () => {
    if (rest !== '') onLine(rest);
    rest = '';
  });
  // A pipe that breaks has nothing more to say.
  output.on('error', () => undefined);
}
