import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { S3Client } from '@aws-sdk/client-s3';
import { loadData } from '../../../activities/datasets/load-questions.ts';
import { commit, startHub } from '../../setup/hub.ts';
import type { HubDataset, Oddity, TestHub } from '../../setup/hub.ts';

/** Hubs as they are in the field: how a data set lies there, and how its server behaves. A new case is one line. */

let hub: TestHub;
const others: TestHub[] = [];
afterEach(() => Promise.all([hub, ...others.splice(0)].map((one) => one.stop())));

const rows = (...ids: string[]): string =>
  ids.map((qid, i) => JSON.stringify({ qid, question: `Is it ${qid}?`, answer: i % 2 === 0 })).join('\n');
const shard = (number: number, of = 4) => `train-${String(number).padStart(5, '0')}-of-${String(of).padStart(5, '0')}`;
const shards = (folder: string, ids = ['a', 'b', 'c', 'd']): HubDataset =>
  Object.fromEntries(ids.map((id, i) => [`${folder}${shard(i, ids.length)}.jsonl`, rows(id)]));
const load = (source: string, environment: Record<string, string> = {}) =>
  loadData(source, {
    s3: new S3Client({}),
    surroundings: { tinyBase: '/nowhere' },
    environment: { HF_ENDPOINT: hub.url, HF_TOKEN: 'hf_secret', ...environment },
  });
const start = async (dataset: HubDataset, odd?: Oddity) => {
  hub = await startHub({ 'o/n': dataset }, odd);
};

describe('what is taken', () => {
  const beside = {
    'README.md': '# Questions',
    '.gitattributes': '',
    'dataset_infos.json': '{}',
    'constraints.json': '[{"train": 1}]',
  };
  const card = (configs: string) => `---\nlicense: mit\nconfigs:\n${configs}---\n# Questions\n`;
  it.each<[string, HubDataset, string, string[]]>([
    ['four shards', { ...beside, ...shards('data/') }, '', ['a', 'b', 'c', 'd']],
    ['shards in the root', { ...beside, ...shards('') }, '', ['a', 'b', 'c', 'd']],
    [
      'shards of train beside test',
      { ...shards('data/'), 'data/test-00000-of-00001.jsonl': rows('x') },
      '',
      ['a', 'b', 'c', 'd'],
    ],
    ['a split that is asked for', { ...shards('data/'), 'data/test-00000-of-00001.jsonl': rows('x') }, '/test', ['x']],
    ['numbered parts', { 'train_1.jsonl': rows('a'), 'train_2.jsonl': rows('b') }, '', ['a', 'b']],
    [
      'a folder of a split',
      { 'train/1.jsonl': rows('a'), 'train/2.jsonl': rows('b'), 'test/1.jsonl': rows('x') },
      '',
      ['a', 'b'],
    ],
    [
      'metadata beside the data',
      { ...beside, 'train.json': `[${rows('a')}]`, 'metadata.json': '{}', 'config.json': '{}' },
      '',
      ['a'],
    ],
    ['a name that holds train', { 'constrained.json': '[]', 'train.json': `[${rows('a')}]` }, '', ['a']],
    ['the only file', { ...beside, 'questions.jsonl': rows('a', 'b') }, '', ['a', 'b']],
    ['train beside a variant of it', { 'train.json': rows('a'), 'train_filtered.json': rows('x') }, '', ['a']],
    ['a configuration', { 'easy/train.jsonl': rows('a'), 'hard/train.jsonl': rows('x') }, '/hard', ['x']],
    [
      'a configuration and a split',
      { 'easy/train.jsonl': rows('a'), 'hard/dev.jsonl': rows('x'), 'hard/train.jsonl': rows('b') },
      '/hard/validation',
      ['x'],
    ],
    ['a pattern', { ...shards('data/'), 'data/old.jsonl': rows('x') }, '/data/train-*.jsonl', ['a', 'b', 'c', 'd']],
    ['a path', shards('data/'), `/data/${shard(2)}.jsonl`, ['c']],
    ['a name to be encoded', { 'train set #1?.jsonl': rows('a') }, '', ['a']],
    [
      'what the card declares',
      {
        'README.md': card('- config_name: default\n  data_files:\n  - split: train\n    path: rows/*.jsonl\n'),
        'rows/p.jsonl': rows('a'),
        'rows/q.jsonl': rows('b'),
        'train.json': rows('x'),
      },
      '',
      ['a', 'b'],
    ],
    [
      'a configuration of the card',
      {
        'README.md': card('- config_name: one\n  data_files: p.jsonl\n- config_name: two\n  data_files: q.jsonl\n'),
        'p.jsonl': rows('a'),
        'q.jsonl': rows('x'),
      },
      '/two',
      ['x'],
    ],
    ['a card that cannot be read', { 'README.md': '---\n: [\n---\n', 'train.json': rows('a') }, '', ['a']],
  ])('%s', async (_, dataset, path, ids) => {
    await start(dataset);
    const { questions, source } = await load(`hf://o/n${path}`);
    expect(questions.map(({ id }) => id)).toEqual(ids);
    expect(source.files.reduce((sum, file) => sum + file.rows, 0)).toBe(ids.length);
    if (path === '') expect(source.revision).toBe(commit);
    expect(hub.seen.every(({ authorization }) => authorization === 'Bearer hf_secret')).toBe(true);
  });

  it.each<[string, HubDataset, string, RegExp]>([
    [
      'Parquet alone',
      { 'data/train-00000-of-00001.parquet': 'PAR1' },
      '',
      /it has data\/train-00000-of-00001\.parquet.*convert/,
    ],
    [
      'a Parquet file by name',
      { 'train.parquet': 'PAR1' },
      '/train.parquet',
      /is parquet, which is not read; convert it to JSON Lines/,
    ],
    ['metadata alone', { 'README.md': '', 'dataset_infos.json': '{}' }, '', /has no JSON file of training rows/],
    [
      'a missing shard',
      { [`${shard(0)}.jsonl`]: rows('a'), [`${shard(2)}.jsonl`]: rows('c') },
      '',
      /not whole: of 4 shards/,
    ],
    [
      'several configurations',
      { 'easy/train.jsonl': rows('a'), 'hard/train.jsonl': rows('b') },
      '',
      /several configurations \(easy, hard\); write one of hf:\/\/o\/n\/easy\/train, hf:\/\/o\/n\/hard\/train/,
    ],
    [
      'several files of one split',
      { 'a_train.json': rows('a'), 'b_train.json': rows('b') },
      '',
      /write one of hf:\/\/o\/n\/a_train\.json, hf:\/\/o\/n\/b_train\.json/,
    ],
    [
      'several files of no split',
      { 'a.json': rows('a'), 'b.json': rows('b') },
      '',
      /write one of hf:\/\/o\/n\/a\.json/,
    ],
    ['a split that is not there', { 'train.json': rows('a') }, '/test', /has no test; write one of hf:\/\/o\/n\/train/],
    ['nothing at all', {}, '', /it has no files/],
    [
      'one id in two shards',
      { [`${shard(0, 2)}.jsonl`]: rows('a'), [`${shard(1, 2)}.jsonl`]: rows('a') },
      '',
      /train-00001-of-00002\.jsonl\): row 1: qid a is also in an earlier file/,
    ],
    ['a way out of the data set', {}, '/../../secret.json', /is no data set/],
  ])('refused: %s', async (_, dataset, path, message) => {
    await start(dataset);
    await expect(load(`hf://o/n${path}`)).rejects.toMatchObject({
      type: 'InvalidData',
      message: expect.stringMatching(message) as string,
    });
  });
});

describe('how a hub behaves', () => {
  const status =
    (code: number, headers: Record<string, string> = {}) =>
    (response: ServerResponse) => {
      response.writeHead(code, headers).end('<html>busy</html>');
    };
  type Behaviour = (response: ServerResponse) => void;
  const first =
    (times: number, path: RegExp, behave: Behaviour): Oddity =>
    (request, response, nth) => {
      if (!path.test(request.url ?? '') || nth > times) return undefined;
      behave(response);
      return true;
    };
  const drop: Behaviour = (response) => response.destroy();
  const halfWay: Behaviour = (response) => {
    response.writeHead(200, { 'content-length': 10_000 });
    response.write(rows('a'), () => response.destroy());
  };
  const halfWithoutLength: Behaviour = (response) => response.writeHead(200).end(rows('a').slice(0, 20));
  const anywhere = /./;
  const file = /\/resolve\/.*jsonl$/;
  const whole = shards('data/');

  it.each<[string, Oddity]>([
    ['503 once', first(1, anywhere, status(503))],
    ['503 twice', first(2, file, status(503))],
    ['500', first(1, anywhere, status(500))],
    ['502 without a body', first(1, file, (response) => response.writeHead(502).end())],
    ['429', first(1, anywhere, status(429))],
    ['429 with Retry-After', first(1, anywhere, status(429, { 'retry-after': '0' }))],
    ['429 with a date', first(1, file, status(429, { 'retry-after': new Date(0).toUTCString() }))],
    ['408', first(1, file, status(408))],
    ['a connection that drops', first(1, anywhere, drop)],
    ['a file that breaks off', first(2, file, halfWay)],
    ['a file that is too short', first(2, file, halfWithoutLength)],
    ['a listing that is no JSON', first(1, /revision/, (response) => response.writeHead(200).end('<html>'))],
    ['no tree', first(99, /\/tree\//, status(404))],
    ['no revision', first(99, /\/revision\//, status(404))],
  ])('outlived: %s', async (_, odd) => {
    await start(whole, odd);
    const { questions } = await load('hf://o/n');
    expect(questions.map(({ id }) => id)).toEqual(['a', 'b', 'c', 'd']);
  });

  it.each<[string, string, Oddity]>([
    ['503 for ever', 'StorageUnavailable', first(99, anywhere, status(503))],
    ['429 that asks for an hour', 'StorageUnavailable', first(99, anywhere, status(429, { 'retry-after': '3600' }))],
    ['drops for ever', 'StorageUnavailable', first(99, anywhere, drop)],
    ['one shard that always breaks off', 'StorageUnavailable', first(99, /00002-of/, halfWay)],
    ['one shard that is always too short', 'StorageUnavailable', first(99, /00002-of/, halfWithoutLength)],
    [
      'HTML in place of a listing',
      'StorageUnavailable',
      first(99, anywhere, (response) => response.writeHead(200).end('<html>')),
    ],
    ['gated (401)', 'CredentialsRefused', first(99, anywhere, status(401))],
    ['gated (403)', 'CredentialsRefused', first(99, file, status(403))],
    ['a shard that is listed and not there', 'InvalidData', first(99, /00002-of/, status(404))],
    ['gone', 'InvalidData', first(99, anywhere, status(410))],
    ['400', 'InvalidData', first(99, anywhere, status(400))],
  ])('%s: %s', async (_, type, odd) => {
    await start(whole, odd);
    const error: unknown = await load('hf://o/n').catch((caught: unknown) => caught);
    expect(error).toMatchObject({ type, nonRetryable: type !== 'StorageUnavailable' });
    expect((error as Error).message).toContain(type === 'CredentialsRefused' ? 'HF_TOKEN' : 'o/n');
    // Bounded: a few tries for each of the requests that a whole answer takes.
    expect(hub.seen.length).toBeLessThan(30);
  });

  it('is away: an outage', async () => {
    await start({});
    await expect(load('hf://o/n', { HF_ENDPOINT: 'http://127.0.0.1:9' })).rejects.toMatchObject({
      type: 'StorageUnavailable',
      nonRetryable: false,
    });
  });

  it('the token goes nowhere else: not where a redirect or a next page leads', async () => {
    const elsewhere = await startHub({}, (_, response) => {
      response.end(rows('a'));
      return true;
    });
    others.push(elsewhere);
    await start({ 'train.jsonl': rows('a') }, (request, response) => {
      if (!request.url?.includes('/resolve/')) return undefined;
      response.writeHead(302, { location: `${elsewhere.url.replace('127.0.0.1', 'localhost')}/blob` }).end();
      return true;
    });
    expect((await load('hf://o/n')).questions).toHaveLength(1);
    expect(elsewhere.seen).toEqual([{ url: '/blob', authorization: undefined }]);
    await hub.stop();
    await start({ 'train.jsonl': rows('a') }, (request, response) => {
      if (!request.url?.includes('/tree/')) return undefined;
      response.writeHead(200, { link: `<${elsewhere.url}/next>; rel="next"` }).end('[]');
      return true;
    });
    await load('hf://o/n').catch(() => undefined);
    expect(elsewhere.seen.every(({ authorization }) => authorization === undefined)).toBe(true);
  });
});

it('a mirror below RATCHET_DATA is taken in place of the hub, and said', async () => {
  await start({ 'train.jsonl': rows('a') });
  const folder = mkdtempSync(join(tmpdir(), 'ratchet-mirror-'));
  mkdirSync(join(folder, 'n'));
  writeFileSync(join(folder, 'n', 'train.jsonl'), rows('m'));
  const mirrored = await load('hf://o/n', { RATCHET_DATA: folder });
  expect(mirrored.source).toMatchObject({ name: 'hf://o/n', files: [{ name: 'n/train.jsonl', rows: 1 }] });
  // A revision is the hub's own.
  expect((await load('hf://o/n@v1', { RATCHET_DATA: folder })).questions[0]?.id).toBe('a');
  expect(hub.seen.length).toBeGreaterThan(0);
  rmSync(folder, { recursive: true });
});
