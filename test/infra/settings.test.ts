import { join } from 'node:path';
import { expect, test } from 'vitest';
import { stackEnvironment, stackSettings } from '../../infra/embedded/index.ts';

const home = join(import.meta.dirname, 'no-such-home');

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
