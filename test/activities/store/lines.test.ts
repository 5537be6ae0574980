import { createReadStream, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { loadQuestions } from '../../../activities/datasets/load-questions.ts';
import { createS3Client } from '../../../activities/store/client.ts';
import { LineTooLong, linesOf } from '../../../activities/store/lines.ts';
import { readEnvironment } from '../../../config/environment.ts';

const folder = mkdtempSync(join(tmpdir(), 'ratchet-lines-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

async function* inChunks(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let from = 0; from < bytes.length; from += size) yield await Promise.resolve(bytes.subarray(from, from + size));
}

async function all(lines: AsyncIterable<string>): Promise<string[]> {
  const found: string[] = [];
  for await (const line of lines) found.push(line);
  return found;
}

const texts = [
  'plain',
  'line\u2028separator',
  'paragraph\u2029separator',
  'next\u0085line',
  'vertical\vtab\f',
  '😀 ünï 漢',
];
const objects = texts.map((text) => JSON.stringify({ text }));

const megabytes = JSON.stringify({ text: 'ä\u2028'.repeat(2_000_000) });

it.each<{ name: string; text: string; lines: string[] }>([
  { name: 'characters that other readers take for line ends', text: `${objects.join('\n')}\n`, lines: objects },
  { name: 'no newline at the end', text: objects.join('\n'), lines: objects },
  { name: 'CRLF', text: `${objects.join('\r\n')}\r\n`, lines: objects },
  { name: 'CRLF, and none at the end', text: objects.join('\r\n'), lines: objects },
  { name: 'CR alone, at the end of the file', text: '{}\r', lines: ['{}'] },
  { name: 'CR inside', text: '{\r}\n', lines: ['{\r}'] },
  { name: 'a byte order mark', text: `\uFEFF${objects.join('\n')}`, lines: objects },
  { name: 'a byte order mark and CRLF', text: `\uFEFF{}\r\n{}\r\n`, lines: ['{}', '{}'] },
  { name: 'a byte order mark inside stays', text: `{}\n\uFEFF{}`, lines: ['{}', '\uFEFF{}'] },
  { name: 'empty lines', text: '\n{}\n\n\r\n{}\n\n', lines: ['', '{}', '', '', '{}', ''] },
  { name: 'nothing', text: '', lines: [] },
  { name: 'a byte order mark alone', text: '\uFEFF', lines: [] },
  { name: 'a line of megabytes', text: `{}\n${megabytes}\n{}\n`, lines: ['{}', megabytes, '{}'] },
])('$name', async ({ text, lines }) => {
  const bytes = Buffer.from(text);
  for (const size of bytes.length > 10_000 ? [65_536, 100_003] : [1, 2, 3, 5, 65_536])
    expect(await all(linesOf(inChunks(bytes, size)))).toEqual(lines);
  const path = join(folder, 'file.jsonl');
  writeFileSync(path, bytes);
  expect(await all(linesOf(createReadStream(path)))).toEqual(lines);
  const highWaterMark = bytes.length > 10_000 ? 10_007 : 7;
  expect(await all(linesOf(createReadStream(path, { encoding: 'utf8', highWaterMark })))).toEqual(lines);
});

it('questions in JSON Lines are read whatever characters they hold, and however the file was written', async () => {
  const environment = readEnvironment();
  const deps = { s3: createS3Client(environment.s3, 1), surroundings: environment, environment: {} };
  const rows = texts.map((text, index) => ({ qid: `q${index}`, question: `Is ${text} so?`, answer: true }));
  const path = join(folder, 'questions.jsonl');
  writeFileSync(path, `\uFEFF${rows.map((row) => JSON.stringify(row)).join('\r\n\r\n')}`);
  const questions = await loadQuestions(path, deps);
  expect(questions.map(({ question }) => question)).toEqual(rows.map(({ question }) => question));
});

it('what goes on without an end is given up, not kept in memory', async () => {
  let given = 0;
  async function* endless() {
    for (;;) yield await Promise.resolve('x'.repeat((given += 1) > 1000 ? 1_000_000 : 1000));
  }
  await expect(all(linesOf(endless(), 10_000))).rejects.toThrow(LineTooLong);
  expect(given).toBeLessThan(20);
});

it('a socket that is destroyed while it says nothing ends the lines, with an error', async () => {
  const server = createServer((socket) => socket.write('{"event":"one"}\n{"event":'));
  await new Promise<void>((resolve) => server.listen(join(folder, 'silent.sock'), resolve));
  const socket = connect(join(folder, 'silent.sock'));
  const seen: string[] = [];
  const reading = (async () => {
    for await (const line of linesOf(socket)) {
      seen.push(line);
      setImmediate(() => socket.destroy());
    }
  })();
  await expect(reading).rejects.toMatchObject({ code: 'ERR_STREAM_PREMATURE_CLOSE' });
  expect(seen).toEqual(['{"event":"one"}']);
  server.close();
});
