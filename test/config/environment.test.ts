import { describe, expect, test } from 'vitest';
import { projectRoot, readEnvironment } from '../../config/environment.ts';

describe('what is right', () => {
  test('nothing set: everything has a default, paths are absolute', () => {
    const { home, bucket, s3, python, tinyBase } = readEnvironment({});
    expect(home).toBe(`${projectRoot}/.ratchet`);
    expect(tinyBase).toBe(`${projectRoot}/trainer/src/ratchet_trainer/tiny/model`);
    expect(bucket).toBe('ratchet');
    expect(python).toMatch(/python3?$/);
    expect(s3).toEqual({ region: 'us-east-1', endpoint: undefined, credentials: undefined });
  });

  test('an empty string counts as not set', () => {
    expect(readEnvironment({ RATCHET_BUCKET: '', AWS_ENDPOINT_URL_S3: '', OPENAI_BASE_URL: '' }).bucket).toBe(
      'ratchet',
    );
  });

  test('the S3 address of its own goes before the general one', () => {
    const both = { AWS_ENDPOINT_URL: 'http://general:1', AWS_ENDPOINT_URL_S3: 'http://s3:2' };
    expect(readEnvironment(both).s3.endpoint).toBe('http://s3:2');
    expect(readEnvironment({ AWS_ENDPOINT_URL: 'http://general:1' }).s3.endpoint).toBe('http://general:1');
  });
});

describe('what is wrong names variable, value and fix', () => {
  test.each<[Record<string, string>, RegExp]>([
    [{ RATCHET_BUCKET: 'Not A Bucket' }, /RATCHET_BUCKET=Not A Bucket must be a bucket name/],
    [
      { AWS_ENDPOINT_URL_S3: 'localhost' },
      /AWS_ENDPOINT_URL_S3=localhost must be a URL such as http:\/\/127\.0\.0\.1:7070/,
    ],
    [{ RATCHET_GRACE_SECONDS: 'long' }, /RATCHET_GRACE_SECONDS=long must be a number of seconds/],
    [{ RATCHET_GRACE_SECONDS: '-1' }, /RATCHET_GRACE_SECONDS=-1 must be a number of seconds above 0/],
    [{ RATCHET_LOG_LEVEL: 'loud' }, /RATCHET_LOG_LEVEL=loud is not right: .*"warn"/],
    [{ AWS_ACCESS_KEY_ID: 'a' }, /AWS_SECRET_ACCESS_KEY is not set although AWS_ACCESS_KEY_ID is/],
    [{ AWS_SECRET_ACCESS_KEY: 'a' }, /AWS_ACCESS_KEY_ID is not set although AWS_SECRET_ACCESS_KEY is/],
  ])('%j', (env, message) => {
    expect(() => readEnvironment(env)).toThrow(message);
  });

  test('all problems at once', () => {
    expect(() => readEnvironment({ RATCHET_BUCKET: '!', OPENAI_BASE_URL: 'x' })).toThrow(
      /RATCHET_BUCKET=![^]*OPENAI_BASE_URL=x/,
    );
  });

  test('a secret is never printed', () => {
    const read = (): unknown => readEnvironment({ AWS_SECRET_ACCESS_KEY: 'hidden-secret' });
    expect(read).toThrow(/AWS_ACCESS_KEY_ID/);
    expect(read).not.toThrow(/hidden-secret/);
  });
});
