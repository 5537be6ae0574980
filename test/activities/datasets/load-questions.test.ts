import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseHubSource } from '../../../activities/datasets/hub.ts';
import { loadQuestions } from '../../../activities/datasets/load-questions.ts';
import type { DataDeps } from '../../../activities/datasets/locate-source.ts';
import { createS3Client } from '../../../activities/store/client.ts';
import { startTestS3 } from '../../setup/s3.ts';
import type { TestS3 } from '../../setup/s3.ts';

const rows = [
  { qid: 'a', question: 'Is it so?', answer: true, facts: ['It is.'], decomposition: ['Is it?'], term: 'it' },
  { qid: 'b', question: 'Is it not?', answer: false, facts: [], decomposition: [] },
];
const expected = [
  { id: 'a', question: 'Is it so?', answer: 'yes', facts: ['It is.'], decomposition: ['Is it?'] },
  { id: 'b', question: 'Is it not?', answer: 'no', facts: [], decomposition: [] },
];
const lines = rows.map((row) => JSON.stringify(row)).join('\n');

let s3: TestS3;
let hub: Server;
const seen: { url: string; authorization: string | undefined }[] = [];
let deps: DataDeps;
let folder: string;
const file = (name: string, text: string): string => {
  mkdirSync(dirname(join(folder, name)), { recursive: true });
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};

beforeAll(async () => {
  s3 = await startTestS3();
  folder = s3.newFolder();
  hub = createServer((request, response) => {
    seen.push({ url: request.url ?? '', authorization: request.headers.authorization });
    if (request.url === '/api/datasets/some/questions/revision/main') {
      response.end(
        JSON.stringify({
          siblings: [{ rfilename: 'README.md' }, { rfilename: 'test.json' }, { rfilename: 'data/train.json' }],
        }),
      );
    } else if (request.url === '/api/datasets/some/tables/revision/main') {
      response.end(JSON.stringify({ siblings: [{ rfilename: 'train.parquet' }] }));
    } else if (request.url === '/datasets/some/questions/resolve/main/data/train.json')
      response.end(JSON.stringify(rows));
    else if (request.url === '/datasets/some/questions/resolve/v2/rows.jsonl') response.end(lines);
    else if (request.url?.includes('/gated/')) response.writeHead(401).end();
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => hub.listen(0, '127.0.0.1', resolve));
  deps = {
    s3: createS3Client(s3.surroundings.s3, 2),
    surroundings: { tinyBase: join(folder, 'models', 'tiny') },
    environment: {
      RATCHET_DATA: join(folder, 'data'),
      HF_ENDPOINT: `http://127.0.0.1:${(hub.address() as AddressInfo).port}`,
      HF_TOKEN: 'hf_secret',
    },
  };
});
afterAll(async () => {
  deps.s3.destroy();
  hub.close();
  await s3.stop();
});

const load = (source: string) => loadQuestions(source, deps);

describe('sources', () => {
  it('a file: JSON array, JSON Lines, with a byte-order mark', async () => {
    expect(await load(file('array.json', `\n ${JSON.stringify(rows, null, 2)}`))).toEqual(expected);
    expect(await load(file('lines.jsonl', `${lines}\n\n`))).toEqual(expected);
    expect(await load(file('bom.json', `\uFEFF${JSON.stringify(rows)}`))).toEqual(expected);
    expect(await load(file('bom.jsonl', `\uFEFF${lines}`))).toEqual(expected);
  });

  it('a relative path: within RATCHET_DATA', async () => {
    file('data/strategyqa/train.json', JSON.stringify(rows));
    expect(await load('strategyqa/train.json')).toEqual(expected);
    await expect(load('strategyqa/tran.json')).rejects.toThrow(
      /there is no file .*data\/strategyqa\/tran\.json, nor .*; give the path/,
    );
  });

  it('builtin:world: beside the tiny base', async () => {
    await expect(load('builtin:world')).rejects.toThrow(
      /the synthetic world is not built: .*world\.jsonl; run npm run setup/,
    );
    file('models/tiny/world.jsonl', lines);
    expect(await load('builtin:world')).toEqual(expected);
  });

  it('s3://', async () => {
    const store = s3.newStore();
    await store.objects.put('questions/train.json', JSON.stringify(rows), 'application/json');
    expect(await load(`s3://${store.bucket}/questions/train.json`)).toEqual(expected);
    await expect(load(`s3://${store.bucket}/questions/nothing.json`)).rejects.toMatchObject({ type: 'InvalidData' });
    await expect(load('s3://no-such-bucket-here/x.json')).rejects.toMatchObject({ type: 'BucketMissing' });
  });

  it('hf://, with a path, a revision, or by looking for the training rows; the token goes with it', async () => {
    expect(await load('hf://some/questions')).toEqual(expected);
    expect(await load('hf://some/questions@v2/rows.jsonl')).toEqual(expected);
    expect(seen.every(({ authorization }) => authorization === 'Bearer hf_secret')).toBe(true);
    await expect(load('hf://some/questions/nothing.json')).rejects.toMatchObject({ type: 'InvalidData' });
    await expect(load('hf://some/tables')).rejects.toThrow(
      'has no JSON file of training rows (it has train.parquet); write hf://some/tables/PATH',
    );
    await expect(load('hf://gated/questions/x.json')).rejects.toMatchObject({ type: 'CredentialsRefused' });
    await expect(
      loadQuestions('hf://a/b/c.json', { ...deps, environment: { HF_ENDPOINT: 'http://127.0.0.1:9' } }),
    ).rejects.toMatchObject({ type: 'StorageUnavailable', nonRetryable: false });
    expect(() => parseHubSource('hf://only-owner')).toThrow('write hf://owner/name');
  });
});

describe('bad rows are named', () => {
  it.each([
    ['[]', 'the data set is empty'],
    ['', 'the data set is empty'],
    [
      '[{"qid":"a","question":"x?","answer":true},{"qid":"b","question":"y?","answer":"maybe"}]',
      'row 2: field answer must be',
    ],
    [`${lines}\n{"qid":"c","quetsion":"z?","answer":true}`, 'row 3: field question is missing'],
    [`${lines}\n{"qid":"c",`, 'row 3 is not JSON: wrong at column 12'],
    [`${lines}\n${JSON.stringify(rows[0])}`, 'row 3: qid a is also that of row 1'],
    ['[{"qid":', 'not JSON: '],
  ])('%j', async (text, message) => {
    const path = file('bad.json', text);
    const error: unknown = await load(path).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ type: 'InvalidData', nonRetryable: true });
    expect((error as Error).message).toContain(`${path}: `);
    expect((error as Error).message).toContain(message);
  });
});
