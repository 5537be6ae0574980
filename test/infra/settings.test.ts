import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { stackEnvironment, stackSettings } from '../../infra/embedded/index.ts';

const home = mkdtempSync(join(tmpdir(), 'ratchet-settings-'));
afterAll(() => {
  rmSync(home, { recursive: true, force: true });
});

test("embedded addresses are given in the names that the SDKs read, and the user's other settings are kept", () => {
  const env = stackEnvironment({ RATCHET_HOME: home, RATCHET_S3_PORT: '7171', EDITOR: 'vi', OPENAI_API_KEY: '' });
  expect(env).toMatchObject({
    EDITOR: 'vi',
    RATCHET_HOME: home,
    RATCHET_BUCKET: 'ratchet',
    TEMPORAL_ADDRESS: '127.0.0.1:7233',
    TEMPORAL_NAMESPACE: 'default',
    AWS_ENDPOINT_URL_S3: 'http://127.0.0.1:7171',
    OPENAI_BASE_URL: 'http://127.0.0.1:7080/v1',
    OPENAI_API_KEY: 'simulated',
  });
});

test('applied to its own result it changes nothing', () => {
  const once = stackEnvironment({ RATCHET_HOME: home, RATCHET_TEMPORAL_PORT: '7333' });
  expect(stackEnvironment(once)).toEqual(once);
  expect(stackSettings(once).embedded).toEqual({ temporal: true, s3: true, teacher: true });
});

test('credentials meant for another server are not sent to the embedded ones', () => {
  const env = stackEnvironment({
    RATCHET_HOME: home,
    TEMPORAL_API_KEY: 'cloud',
    TEMPORAL_TLS_CLIENT_CERT_PATH: '/x',
    AWS_PROFILE: 'work',
    AWS_ACCESS_KEY_ID: 'AKIA',
    AWS_SESSION_TOKEN: 'token',
  });
  for (const name of ['TEMPORAL_API_KEY', 'TEMPORAL_TLS_CLIENT_CERT_PATH', 'AWS_PROFILE', 'AWS_SESSION_TOKEN']) {
    expect(env).not.toHaveProperty(name);
  }
  expect(env['AWS_ACCESS_KEY_ID']).toBe('ratchet');
});

test.each([
  [{ TEMPORAL_ADDRESS: 'cluster:7233' }, { temporal: false, s3: true, teacher: true }],
  [{ TEMPORAL_PROFILE: 'cloud' }, { temporal: false, s3: true, teacher: true }],
  [{ RATCHET_BUCKET: 'my-bucket' }, { temporal: true, s3: false, teacher: true }],
  [{ AWS_ENDPOINT_URL: 'https://minio' }, { temporal: true, s3: false, teacher: true }],
  [{ OPENAI_BASE_URL: 'http://vllm:8000/v1' }, { temporal: true, s3: true, teacher: false }],
])("%o is a server of the user's own", (theirs, embedded) => {
  expect(stackSettings({ RATCHET_HOME: home, ...theirs }).embedded).toEqual(embedded);
});

test.each(['0', '70000', 'http'])('port %s is refused with its variable', (value) => {
  expect(() => stackSettings({ RATCHET_HOME: home, RATCHET_TEACHER_PORT: value })).toThrow(
    `RATCHET_TEACHER_PORT=${value} is not a port.`,
  );
});

test('the S3 server has a key of its own for each home, kept for its owner alone, unless one is set', () => {
  const keyOf = (env: Record<string, string>) =>
    stackEnvironment({ RATCHET_HOME: home, ...env })['AWS_SECRET_ACCESS_KEY'];
  expect(keyOf({})).toMatch(/^[\w-]{32}$/);
  expect(keyOf({})).toBe(keyOf({}));
  expect(keyOf({ RATCHET_HOME: join(home, 'other') })).not.toBe(keyOf({}));
  expect(keyOf({ RATCHET_S3_SECRET_KEY: 'mine' })).toBe('mine');
  for (const path of [join(home, 's3.key'), join(home, 'other')]) expect(statSync(path).mode & 0o077, path).toBe(0);
});
