import { describe, expect, it, test } from 'vitest';
import { readEnvironment } from '../../config/environment.ts';
import { keyFor } from '../../config/keys.ts';

const secret = 'sk-live-0123456789';

describe('a key goes to the origin that it is bound to, and nowhere else', () => {
  const OpenAi = { OPENAI_API_KEY: secret };
  const proxied = { ...OpenAi, OPENAI_BASE_URL: 'https://gateway.example:8443/openai/v1' };
  const others = {
    RATCHET_KEY_TOGETHER: `https://api.together.xyz ${secret}`,
    RATCHET_KEY_VLLM: `http://gpu:8000 ${secret}`,
  };
  test.each<[Record<string, string>, string, string | null]>([
    [OpenAi, 'https://api.openai.com/v1', 'OPENAI_API_KEY'],
    [OpenAi, 'https://API.OpenAI.com:443/v1/', 'OPENAI_API_KEY'],
    [OpenAi, 'https://api.openai.com.evil/v1', null],
    [OpenAi, 'https://api.openai.com.evil.example/v1', null],
    [OpenAi, 'https://api.openai.com./v1', null],
    [OpenAi, 'https://evil/api.openai.com/v1', null],
    [OpenAi, 'https://evil?https://api.openai.com/v1', null],
    [OpenAi, 'https://evil#@api.openai.com/v1', null],
    [OpenAi, 'https://api.openai.com@evil/v1', null],
    [OpenAi, 'https://api.openai.com:443@evil/v1', null],
    [OpenAi, 'https://evil\\@api.openai.com/v1', null],
    [OpenAi, 'https://xapi.openai.com/v1', null],
    [OpenAi, 'https://eu.api.openai.com/v1', null],
    [OpenAi, 'https://openai.com/v1', null],
    [OpenAi, 'https://аpi.openai.com/v1', null],
    [OpenAi, 'https://api.openai.com:8443/v1', null],
    [OpenAi, 'http://api.openai.com/v1', null],
    [OpenAi, 'http://api.openai.com:443/v1', null],
    [OpenAi, 'http://127.0.0.1:7080/v1', null],
    [proxied, 'https://gateway.example:8443/other', 'OPENAI_API_KEY'],
    [proxied, 'https://gateway.example/openai/v1', null],
    [proxied, 'https://api.openai.com/v1', null],
    [others, 'https://api.together.xyz/v1', 'RATCHET_KEY_TOGETHER'],
    [others, 'http://api.together.xyz/v1', null],
    [others, 'http://gpu:8000/v1', 'RATCHET_KEY_VLLM'],
    [others, 'http://gpu:8001/v1', null],
    [others, 'https://gpu:8000/v1', null],
    [others, 'https://api.openai.com/v1', null],
    [{ ...OpenAi, ...others }, 'https://api.openai.com/v1', 'OPENAI_API_KEY'],
    [{ RATCHET_KEY_V6: `http://[::1]:8000 ${secret}` }, 'http://[0:0:0:0:0:0:0:1]:8000/v1', 'RATCHET_KEY_V6'],
    [{}, 'https://api.openai.com/v1', null],
  ])('%j %s', (environment, url, variable) => {
    expect(keyFor(readEnvironment(environment).openai, url)?.variable ?? null).toBe(variable);
  });
});

describe('what is wrong is refused at the start, by name and without the value', () => {
  test.each<[Record<string, string>, string]>([
    [{ RATCHET_KEY_A: secret }, 'RATCHET_KEY_A must be an origin, a space and a key, such as RATCHET_KEY_TOGETHER='],
    [{ RATCHET_KEY_A: `https://x.example ${secret} ${secret}` }, 'RATCHET_KEY_A must be an origin, a space and a key'],
    [{ RATCHET_KEY_A: `${secret} https://x.example` }, 'RATCHET_KEY_A does not begin with the origin of a server'],
    [{ RATCHET_KEY_A: `x.example ${secret}` }, 'RATCHET_KEY_A does not begin with the origin of a server'],
    [{ RATCHET_KEY_A: `ftp://x.example ${secret}` }, 'RATCHET_KEY_A does not begin with the origin of a server'],
    [{ RATCHET_KEY_A: `https://${secret}@x.example ${secret}` }, 'RATCHET_KEY_A does not begin with the origin'],
    [{ RATCHET_KEY_A: `https://x.example/v1 ${secret}` }, 'without a path: write https://x.example.'],
    [{ RATCHET_KEY_A: `https://x.example?y ${secret}` }, 'without a path: write https://x.example.'],
    [{ RATCHET_KEY_A: `https://*.example ${secret}` }, 'RATCHET_KEY_A must name one server'],
    [
      { RATCHET_KEY_A: `https://x.example ${secret}é` },
      'RATCHET_KEY_A holds a key with characters that no header takes',
    ],
    [
      { RATCHET_KEY_A: `https://x.example ${secret}`, RATCHET_KEY_B: `https://X.example:443/ ${secret}` },
      'RATCHET_KEY_B and RATCHET_KEY_A are both bound to https://x.example',
    ],
    [
      { OPENAI_API_KEY: secret, RATCHET_KEY_A: `https://api.openai.com ${secret}` },
      'RATCHET_KEY_A and OPENAI_API_KEY are both bound to https://api.openai.com',
    ],
    [
      { OPENAI_API_KEY: secret, OPENAI_BASE_URL: 'http://gpu:8000/v1' },
      'OPENAI_API_KEY would go over plain http to gpu:8000',
    ],
    [{ OPENAI_API_KEY: secret, OPENAI_BASE_URL: 'http://127.0.0.1.evil:80/v1' }, 'plain http to 127.0.0.1.evil'],
    [{ OPENAI_API_KEY: secret, OPENAI_BASE_URL: 'http://localhost.evil/v1' }, 'plain http to localhost.evil'],
    [{ OPENAI_API_KEY: `${secret}\n${secret}` }, 'OPENAI_API_KEY holds characters that no header takes'],
    [
      { OPENAI_BASE_URL: `https://me:${secret}@gateway.example/v1` },
      'OPENAI_BASE_URL holds a user name or a password. Fix: write https://gateway.example',
    ],
    [{ OPENAI_BASE_URL: 'file:///etc/passwd' }, 'OPENAI_BASE_URL begins with file:'],
    [{ AWS_ENDPOINT_URL_S3: 'x', AWS_ENDPOINT_URL: `https://me:${secret}@s3.example` }, 'AWS_ENDPOINT_URL_S3=x'],
    [{ RATCHET_METRICS_ADDRESS: `https://me:${secret}@s3.example` }, 'RATCHET_METRICS_ADDRESS=https://…@s3.example'],
  ])('%j', (environment, message) => {
    const read = (): unknown => readEnvironment(environment);
    expect(read).toThrow(message);
    expect(read).not.toThrow(secret);
  });

  test.each<[Record<string, string>]>([
    [{ OPENAI_API_KEY: secret, OPENAI_BASE_URL: 'http://localhost:8000/v1' }],
    [{ OPENAI_API_KEY: secret, OPENAI_BASE_URL: 'http://127.1:8000/v1' }],
    [{ OPENAI_API_KEY: secret, OPENAI_BASE_URL: 'http://[::1]:8000/v1' }],
    [{ OPENAI_BASE_URL: 'http://gpu:8000/v1' }],
    [{ OPENAI_BASE_URL: 'http://gpu:8000/v1', RATCHET_KEY_GPU: `http://gpu:8000 ${secret}` }],
    [{ OPENAI_API_KEY: `${secret}\n` }],
    [{ RATCHET_KEY_A: '', RATCHET_KEY_B: `  https://x.example\t${secret}  ` }],
  ])('%j is right', (environment) => {
    expect(() => readEnvironment(environment)).not.toThrow();
  });
});

it('a key comes out as a header takes it', () => {
  const { openai } = readEnvironment({ OPENAI_API_KEY: ` ${secret}\n` });
  expect(keyFor(openai, 'https://api.openai.com/v1')?.key).toBe(secret);
});
