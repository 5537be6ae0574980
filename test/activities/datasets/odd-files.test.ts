import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadData, loadQuestions } from '../../../activities/datasets/load-questions.ts';
import { sourceLines } from '../../../domain/data-report.ts';

const secret = 'hf_SECRETTOKENabcdefghijklmnopqrstuvwxyz';
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'ratchet-odd-'));
  mkdirSync(join(folder, 'data'));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});
const deps = (confined: boolean) => ({
  s3: new S3Client({}),
  surroundings: { tinyBase: '/nowhere' },
  environment: { RATCHET_DATA: join(folder, 'data') },
  confined,
});
const put = (name: string, content: string | Uint8Array): string => {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
};
const row = (own: Record<string, unknown> = {}) =>
  JSON.stringify({ qid: 'a', question: 'Is it?', answer: true, ...own });
const refusalOf = async (source: string, confined = false): Promise<Error> => {
  const error: unknown = await loadQuestions(source, deps(confined)).catch((caught: unknown) => caught);
  expect(error).toMatchObject({ type: 'InvalidData', nonRetryable: true });
  return error as Error;
};
const utf16 = (text: string) => Buffer.from(`\uFEFF${text}`, 'utf16le');

describe('files that are no data are refused by row and kind, and nothing of them is quoted', () => {
  const second = (text: string) => `${row()}\n${text}`;
  it.each<[string, string | Uint8Array, string]>([
    [
      'half a character',
      second(String.raw`{"qid":"b","question":"Is \ud83d it?","answer":true}`),
      'row 2: field question holds half of a character',
    ],
    [
      'the other half',
      second(String.raw`{"qid":"b","question":"\ude00","answer":true}`),
      'row 2: field question holds half of a character',
    ],
    [
      'half a character in an id',
      second(String.raw`{"qid":"\ud83d","question":"Is it?","answer":true}`),
      'row 2: field qid holds half',
    ],
    [
      'half a character in a fact',
      second(row({ qid: 'b' }).replace('}', String.raw`,"facts":["\udc00"]}`)),
      'row 2: field facts holds half',
    ],
    [
      'half a character in an array',
      `[${row({ question: 'X' }).replace('X', String.raw`\ud83d`)}]`,
      'row 1: field question holds half',
    ],
    [
      'NUL in a question',
      second(String.raw`{"qid":"b","question":"a\u0000b","answer":true}`),
      'row 2: field question holds a NUL character',
    ],
    ['NUL bytes', second('{"qid":\0}'), 'holds NUL bytes'],
    [
      'a byte that is no UTF-8',
      Buffer.concat([Buffer.from(second('{"qid":"b","question":"')), Buffer.from([0xff]), Buffer.from('"}')]),
      `row 2 is not in UTF-8 (byte ${second('{"qid":"b","question":"').length + 1} of the file)`,
    ],
    ['Latin-1', Buffer.from(second(row({ qid: 'b', question: 'Café?' })), 'latin1'), 'row 2 is not in UTF-8'],
    ['Latin-1 in an array', Buffer.from(`[${row({ question: 'Café?' })}]`, 'latin1'), 'row 1 is not in UTF-8'],
    ['UTF-8 cut off', Buffer.from(second('{"q":"é')).subarray(0, -1), 'row 2 is not in UTF-8'],
    ['UTF-16', utf16(row()), 'is in UTF-16; save it as UTF-8'],
    ['UTF-16, the other way', utf16(row()).swap16(), 'is in UTF-16'],
    ['UTF-16 without a mark', Buffer.from(row(), 'utf16le'), 'is in UTF-16'],
    ['gzip', new Uint8Array([0x1f, 0x8b, 8, 1, 1, 1]), 'is compressed (gzip)'],
    ['Parquet', 'PAR1\u0001\u0002', 'is Parquet, which is not read; convert it to JSON Lines'],
    [
      'an empty question',
      second(row({ qid: 'b', question: '' })),
      'row 2: field question must be a non-empty text, is ""',
    ],
    [
      'white space',
      second(row({ qid: 'b', question: ' \u00a0\n ' })),
      'row 2: field question must be a non-empty text, is white space',
    ],
    [
      'a question of 1 MB',
      second(row({ qid: 'b', question: 'x'.repeat(1_000_000) })),
      'row 2: field question is 1000000 characters long',
    ],
    [
      'a number for a text',
      second(row({ qid: 'b', question: 7 })),
      'row 2: field question must be a non-empty text, is a number',
    ],
    ['a number for an id', row({ qid: 7 }), 'row 1: field qid must be a non-empty text, is a number'],
    [
      'a number for an answer',
      row({ answer: 1 }),
      'row 1: field answer must be true, false, "yes" or "no", is a number',
    ],
    ['null for an answer', row({ answer: null }), 'is null'],
    ['deep JSON', '['.repeat(200_000), 'not JSON'],
    ['deep JSON, whole', `${'['.repeat(50_000)}${']'.repeat(50_000)}`, 'row 1: must be an object'],
    [
      'deep JSON in a field',
      second(`{"qid":"b","question":${'['.repeat(5_000)}${']'.repeat(5_000)},"answer":true}`),
      'is a list',
    ],
    ['one id twice', `${row()}\n${row()}`, 'row 2: qid a is also that of row 1'],
    ['a text', 'once upon a time', 'row 1 is not JSON'],
    ['an object over lines', '{\n"qid": "a"\n}', 'row 1 is not JSON'],
    // Secrets that a recipe could name.
    ['a token', secret, 'row 1 is not JSON: it does not begin with { or ['],
    ['a token after a brace', `{${secret}`, 'row 1 is not JSON'],
    ['a token after a bracket', `[${secret}`, 'not JSON'],
    ['a token in a string', `["${secret}`, 'not JSON'],
    ['a token as an array', `["${secret}"]`, 'row 1: must be an object'],
    ['a token as a row', `"${secret}"`, 'row 1: must be an object'],
    ['a token as an answer', row({ answer: secret }), 'is a text of 40 characters'],
    ['a token within an id', row({ qid: { token: secret } }), 'field qid must be a non-empty text, is an object'],
    ['a token as an id, twice', `${row({ qid: secret })}\n${row({ qid: secret })}`, 'row 2: qid is also that of row 1'],
    ['a key file', `-----BEGIN PRIVATE KEY-----\n${secret}\n`, 'row 1 is not JSON'],
    ['an environment', `HF_TOKEN=${secret}\0PATH=/bin\0`, 'NUL bytes'],
  ])('%s', async (_, content, message) => {
    const error = await refusalOf(put('odd', content));
    expect(error.message).toContain(message);
    expect(error.message).not.toMatch(/SECRET|hf_|PRIVATE|upon/);
  });

  it('takes a byte order mark, U+2028, a character cut by no chunk, and numbers beside', async () => {
    const text = `\uFEFF${row({ question: 'Is\u2028it?' })}\r\n${row({ qid: 'b', question: '😀'.repeat(10_000), n: 1e400 }).replace('null', '1e400')}\r\n\r\n`;
    const questions = await loadQuestions(put('fine.jsonl', text), deps(false));
    expect(questions.map(({ question }) => question.length)).toEqual([6, 20_000]);
    expect(await loadQuestions(put('fine.json', `\uFEFF[${row()}]`), deps(false))).toHaveLength(1);
  });

  it('counts questions that contradict each other, and names the first', async () => {
    const text = [
      row(),
      row({ qid: 'b', question: 'is  IT?', answer: false }),
      row({ qid: 'c', question: 'And?' }),
      row({ qid: 'd', question: 'And?' }),
    ];
    const { source } = await loadData(put('twice.jsonl', text.join('\n')), deps(false));
    expect(source).toMatchObject({ repeated: 2, contradicting: { count: 1, first: ['a', 'b'] } });
    expect(sourceLines(source)).toEqual([
      `source ${source.name}: 4 rows`,
      '2 questions come more than once',
      '1 questions come with both answers, first those of rows a and b',
    ]);
  });

  it('a file that is too large is refused unread', async () => {
    const path = put('large.jsonl', row());
    truncateSync(path, 2 * 1024 ** 3);
    expect((await refusalOf(path)).message).toContain('2048 MiB, more than 1024 MiB');
    truncateSync(path, 0);
    put('large.json', `[${' '.repeat(5_000)}`);
    truncateSync(join(folder, 'large.json'), 300 * 1024 ** 2);
    expect((await refusalOf(join(folder, 'large.json'))).message).toContain('a JSON array of 300 MiB');
  });
});

describe('paths that others send to a worker', () => {
  beforeAll(() => {
    put('token', secret);
    put('data/fine.jsonl', row());
    put('outside.jsonl', row());
    symlinkSync(join(folder, 'outside.jsonl'), join(folder, 'data', 'out.jsonl'));
    symlinkSync(folder, join(folder, 'data', 'up'));
    symlinkSync(join(folder, 'data', 'fine.jsonl'), join(folder, 'data', 'in.jsonl'));
    mkdirSync(join(folder, 'data', 'sub'));
    execFileSync('mkfifo', [join(folder, 'data', 'pipe')]);
  });

  it.each([
    '/etc/shadow',
    '/proc/self/environ',
    '/dev/zero',
    '/dev/stdin',
    '/etc/passwd',
    '/',
    '../token',
    'up/token',
    'out.jsonl',
    'sub/../../outside.jsonl',
    '../../../../../../etc/passwd',
    'package.json',
    '.env',
  ])('out of reach: %s', async (source) => {
    expect((await refusalOf(source, true)).message).toMatch(/out of this worker's reach|there is no file/);
  });
  it('absolute paths elsewhere are out of reach, whether they are there or not', async () => {
    const messages = await Promise.all(
      ['token', 'nothing'].map(async (name) => (await refusalOf(join(folder, name), true)).message.replace(name, '')),
    );
    expect(messages[0]).toBe(messages[1]);
  });
  it.each(['fine.jsonl', 'in.jsonl', 'sub/../fine.jsonl'])('within reach: %s', async (source) => {
    expect(await loadQuestions(source, deps(true))).toHaveLength(1);
    expect(await loadQuestions(join(folder, 'data', source), deps(true))).toHaveLength(1);
  });
  it.each(['/dev/zero', '/dev/null', '/proc/self/environ', '/proc/self/status', '/sys/kernel/notes'])(
    'never, also for a stack of one user: %s',
    async (source) => {
      expect((await refusalOf(source)).message).toMatch(/file of the kernel|there is no file/);
    },
  );
  it('a folder and a pipe are no data', async () => {
    expect((await refusalOf('sub', true)).message).toContain('sub is a folder');
    expect((await refusalOf('pipe', true)).message).toContain('no regular file');
    expect((await refusalOf(folder)).message).toContain('is a folder');
  });
});
