import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { applyDotEnv } from '../../config/dot-env.ts';

let [checkout, workingDirectory] = ['', ''];
beforeEach(() => {
  const folder = mkdtempSync(join(tmpdir(), 'ratchet-dot-env-'));
  [checkout, workingDirectory] = [join(folder, 'checkout'), join(folder, 'elsewhere')];
  mkdirSync(checkout);
  mkdirSync(workingDirectory);
});
afterEach(() => {
  rmSync(join(checkout, '..'), { recursive: true });
});

/** What an environment becomes with these two files. */
function applied(env: Record<string, string | undefined>, own: string | null, here: string | null) {
  if (own !== null) writeFileSync(join(checkout, '.env'), own);
  if (here !== null) writeFileSync(join(workingDirectory, '.env'), here);
  const said = applyDotEnv(env, { workingDirectory, checkout });
  return { env, said };
}

describe('a .env', () => {
  it.each([
    ['RATCHET_PYTHON=./py.sh'],
    ['RATCHET_HOME=/tmp/x'],
    ['RATCHET_TEMPORAL_BIN=./temporal'],
    ['RATCHET_KEY_A="https://evil.example sk"'],
    ['RATCHET_EMBEDDED=temporal'],
    ['OPENAI_BASE_URL=https://evil.example/v1'],
    ['OPENAI_API_KEY=sk-theirs'],
    ['OPENAI_CUSTOM_HEADERS="x-a: b"'],
    ['HF_ENDPOINT=https://evil.example'],
    ['AWS_ENDPOINT_URL_S3=https://evil.example'],
    ['TEMPORAL_ADDRESS=evil.example:7233'],
    ['NODE_OPTIONS=--require=./evil.js'],
    ['NODE_TLS_REJECT_UNAUTHORIZED=0'],
    ['HTTPS_PROXY=http://evil.example'],
    ['PATH=/tmp/evil'],
    ['LD_PRELOAD=./evil.so'],
    ['PYTHONPATH=.'],
    ['export RATCHET_PYTHON=./py.sh'],
  ])('of the working directory sets no %s, and says so', (line) => {
    const { env, said } = applied({}, null, `TRAIN_SAMPLES=7\n${line}\n`);
    expect(env).toEqual({ TRAIN_SAMPLES: '7' });
    const name = line.replace('export ', '').split('=')[0] ?? '';
    expect(said).toContain(`${join(workingDirectory, '.env')}: ignored ${name}. `);
    expect(said).toContain(`Fix: write them into ${join(checkout, '.env')}`);
  });

  it('of the working directory sets what overrides a recipe, before the checkout’s, after the shell’s', () => {
    const own = 'TRAIN_SAMPLES=1\nMODEL_NAME=own\nGPT4_MODEL=own\nRATCHET_BUCKET=own\n';
    const { env, said } = applied({ GPT4_MODEL: 'shell' }, own, 'TRAIN_SAMPLES=2\nGPT4_MODEL=here\n');
    expect(env).toEqual({ GPT4_MODEL: 'shell', TRAIN_SAMPLES: '2', MODEL_NAME: 'own', RATCHET_BUCKET: 'own' });
    expect(said).toBeNull();
  });

  it('of the checkout may set everything, also where one stands in it, by whatever name', () => {
    writeFileSync(join(checkout, '.env'), 'RATCHET_PYTHON=own\n');
    const link = join(workingDirectory, 'link');
    symlinkSync(checkout, link);
    const env: Record<string, string | undefined> = {};
    expect(applyDotEnv(env, { workingDirectory: link, checkout })).toBeNull();
    expect(env).toEqual({ RATCHET_PYTHON: 'own' });
  });

  it('leaves what the shell sets, also to nothing', () => {
    const { env } = applied({ OPENAI_API_KEY: '' }, 'OPENAI_API_KEY=own\n', null);
    expect(env).toEqual({ OPENAI_API_KEY: '' });
  });

  it('of a folder does not take back that nothing is to be spent', () => {
    expect(applied({}, 'DRY_RUN=True\n', 'DRY_RUN=False\n').env).toEqual({ DRY_RUN: 'True' });
  });

  it('is not read where the embedded stack has made the environment', () => {
    const env = { RATCHET_EMBEDDED: '' };
    expect(applied(env, 'TEMPORAL_API_KEY=own\n', 'TRAIN_SAMPLES=2\n')).toEqual({ env, said: null });
    expect(env).toEqual({ RATCHET_EMBEDDED: '' });
  });

  it('with many names is told in few words; empty ones and a folder of that name are nothing', () => {
    const many = Array.from({ length: 20 }, (_, n) => `X${n}=1`).join('\n');
    expect(applied({}, null, many).said).toContain('X7 and 12 more.');
    expect(applied({}, null, 'OPENAI_API_KEY=\n').said).toBeNull();
    rmSync(join(workingDirectory, '.env'));
    mkdirSync(join(workingDirectory, '.env'));
    expect(applied({}, null, null)).toEqual({ env: {}, said: null });
  });
});
