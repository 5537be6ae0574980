import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, request as httpRequest } from 'node:http';
import type { IncomingMessage, Server } from 'node:http';
import { connect } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { isProxied, proxiesOf, useProxies } from '../../config/proxy.ts';

const root = resolve(import.meta.dirname, '../..');
const url = (path: string) => JSON.stringify(pathToFileURL(join(root, path)).href);

let proxy: Server;
let origin: Server;
let proxyUrl = '';
/** What went through the proxy: `HEAD http://host/path` or, as fetch does even without TLS, `CONNECT host:port`. */
const seen: string[] = [];

beforeAll(async () => {
  // Answers whatever it is asked: the objects of a bucket, the models of a teacher, a hook.
  origin = createServer((request, response) => {
    request.resume();
    const body = request.method === 'GET' ? '{"object":"list","data":[]}' : '';
    const headers = { 'content-type': 'application/json', 'content-length': body.length, etag: '"1"' };
    response.writeHead(200, headers).end(body);
  }).listen(0, '127.0.0.1');
  await once(origin, 'listening');
  const originPort = (origin.address() as AddressInfo).port;
  // A forward proxy: every name leads to the server above, as no name of a test leads anywhere by itself.
  proxy = createServer((request, response) => {
    seen.push(`${request.method ?? ''} ${request.url ?? ''}`);
    const { pathname, search } = new URL(request.url ?? '/', 'http://unnamed');
    const { method, headers } = request;
    const onward = { host: '127.0.0.1', port: originPort, path: pathname + search, headers, ...(method && { method }) };
    request.pipe(
      httpRequest(onward, (answer) => answer.pipe(response.writeHead(answer.statusCode ?? 502, answer.headers))),
    );
  });
  proxy.on('connect', (request: IncomingMessage, socket: Socket) => {
    seen.push(`CONNECT ${request.url ?? ''}`);
    const onward = connect(originPort, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      socket.pipe(onward).pipe(socket);
    });
    for (const end of [socket, onward]) end.on('error', () => undefined);
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  proxyUrl = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
});
beforeEach(() => {
  seen.length = 0;
});
afterAll(() => {
  for (const server of [proxy, origin]) {
    server.closeAllConnections();
    server.close();
  }
});

/** Runs a module's text in a process of its own, as a worker or a command begins. */
async function runBehind(text: string, env: Record<string, string>) {
  const script = `const { useProxies } = await import(${url('config/proxy.ts')}); useProxies();\n${text}`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    env: { PATH: process.env['PATH'], ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
  await once(child, 'close');
  return said;
}

const s3 = (endpoint: string) => `
  const { createS3Client } = await import(${url('activities/store/client.ts')});
  const { quickPut } = await import(${url('activities/store/quick-requests.ts')});
  const { HeadBucketCommand } = await import('@aws-sdk/client-s3');
  const credentials = { accessKeyId: 'a', secretAccessKey: 'b' };
  const client = createS3Client({ endpoint: ${endpoint}, region: 'us-east-1', credentials }, 1);
  const put = { Bucket: 'bucket', Key: 'key', Body: new Uint8Array(1), ChecksumCRC32: 'AAAAAA==' };
  console.log((await quickPut(client, put)) === null ? 'by the SDK' : 'quick');
  await client.send(new HeadBucketCommand({ Bucket: 'bucket' })).then(() => console.log('head'), (error) => console.log(error.name));
  client.destroy();`;
const openai = (baseURL: string) => `
  const { default: OpenAI } = await import('openai');
  const client = new OpenAI({ baseURL: ${baseURL}, apiKey: 'k', maxRetries: 0 });
  await client.models.list().then(() => console.log('listed'), (error) => console.log(error.message));`;
const hook = `await fetch('http://hook.example/gate', { method: 'POST', body: '{}' }).then((answer) => console.log(answer.status));`;

describe('what leaves a process goes through the proxy of its environment', () => {
  test.each([
    ['a teacher over HTTP', openai(`'http://teacher.example/v1'`), ['CONNECT teacher.example:80']],
    ['a teacher over HTTPS', openai(`'https://teacher.example/v1'`), ['CONNECT teacher.example:443']],
    ['a hook', hook, ['CONNECT hook.example:80']],
    ['a bucket over HTTP', s3(`'http://s3.example:9000'`), ['HEAD http://s3.example:9000/bucket/']],
    ['a bucket over HTTPS', s3(`'https://s3.example'`), ['CONNECT s3.example:443']],
  ])('%s', async (_name, script, expected) => {
    const said = await runBehind(script, { HTTP_PROXY: proxyUrl, HTTPS_PROXY: proxyUrl });
    expect(seen, said).toEqual(expected);
  });

  test('small letters and a proxy without http:// do as well', async () => {
    await runBehind(openai(`'http://teacher.example/v1'`), { http_proxy: proxyUrl.replace('http://', '') });
    expect(seen).toEqual(['CONNECT teacher.example:80']);
  });

  test.each(['127.0.0.1', 'localhost'])('%s is asked directly, whatever NO_PROXY says', async (host) => {
    const port = (origin.address() as AddressInfo).port;
    const env = { HTTP_PROXY: proxyUrl, HTTPS_PROXY: proxyUrl, NO_PROXY: 'intranet.example' };
    const address = `'http://${host}:${port}`;
    const said = await runBehind(`{ ${openai(`${address}/v1'`)} } { ${s3(`${address}'`)} }`, env);
    expect(said).toMatch(/listed\nquick\nhead/);
    expect(seen).toEqual([]);
  });

  test('a process that is started from there goes the same way', async () => {
    const inner = `fetch('http://inner.example/').then((answer) => console.log(answer.status))`;
    const script = `const { promisify } = await import('node:util');
      const { execFile } = await import('node:child_process');
      await promisify(execFile)(process.execPath, ['-e', ${JSON.stringify(inner)}]);`;
    await runBehind(script, { HTTP_PROXY: proxyUrl });
    expect(seen).toEqual(['CONNECT inner.example:80']);
  });
});

test.each([
  [{}, { http: null, https: null }],
  [{ HTTPS_PROXY: 'http://p:1' }, { http: null, https: 'http://p:1' }],
  [
    { https_proxy: 'p:1', HTTPS_PROXY: 'http://other' },
    { http: null, https: 'http://p:1' },
  ],
  [
    { HTTP_PROXY: '', http_proxy: '' },
    { http: null, https: null },
  ],
  [
    { HTTPS_PROXY: 'http://p:1', NODE_USE_ENV_PROXY: '0' },
    { http: null, https: null },
  ],
])('proxies of %o', (env, expected) => {
  expect(proxiesOf(env)).toMatchObject(expected);
});

test.each(['socks5://secret@host:1080', 'http://', 'no url at all'])(
  '%s as a proxy is refused by its variable',
  (text) => {
    expect(() => proxiesOf({ HTTPS_PROXY: text })).toThrow(
      /^HTTPS_PROXY=.* Set it to one like http:\/\/proxy\.example:3128\.$/,
    );
    expect(() => proxiesOf({ HTTPS_PROXY: text })).not.toThrow(/secret/);
  },
);

test.each([
  ['127.0.0.1', false],
  ['[::1]', false],
  ['metadata.google.internal', false],
  ['minio.intranet.example', false],
  ['intranet.example', false],
  ['notintranet.example', true],
  ['s3.amazonaws.com', true],
])('whether %s is reached through the proxy', (host, expected) => {
  const proxies = proxiesOf({ HTTPS_PROXY: 'http://p:1', NO_PROXY: '.intranet.example, other' });
  expect(isProxied('https:', host, proxies)).toBe(expected);
  expect(isProxied('http:', host, proxies)).toBe(false);
  expect(isProxied('https:', host, proxiesOf({ HTTPS_PROXY: 'http://p:1', NO_PROXY: '*' }))).toBe(false);
});

test('an environment without a proxy is left as it is', () => {
  const env = { PATH: '/bin' };
  useProxies(env);
  expect(env).toEqual({ PATH: '/bin' });
});
