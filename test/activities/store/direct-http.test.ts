import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { createDirectHttp } from '../../../activities/store/direct-http.ts';

let server: Server;
const sockets = new Set<Socket>();
const direct = createDirectHttp({ connectMs: 1000, idleMs: 200 });

afterEach(() => {
  for (const socket of sockets) socket.destroy();
  server.close();
});

/** A server that does this with each request, and nothing that HTTP asks for. */
async function serve(answer: (socket: Socket, request: number) => void | Promise<void>): Promise<number> {
  let requests = 0;
  server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('data', () => void answer(socket, (requests += 1)));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

const get = (port: number, into: Uint8Array) =>
  direct.ask({ hostname: '127.0.0.1', port, head: 'GET / HTTP/1.1\r\n\r\n' }, into);

const written = (socket: Socket, text: string): Promise<void> =>
  new Promise((resolve) => {
    socket.write(text, () => {
      resolve();
    });
  });

test('a head and a body that come byte by byte, and a second answer on the same connection', async () => {
  const port = await serve(async (socket, request) => {
    for (const byte of `HTTP/1.1 200 OK\r\nContent-Length: 4\r\nETag: "${request}"\r\n\r\nbody`)
      await written(socket, byte);
  });
  for (const request of [1, 2]) {
    const into = Buffer.alloc(4);
    const response = await get(port, into);
    expect(response).toMatchObject({ statusCode: 200, headers: { etag: `"${request}"` } });
    expect(into.toString()).toBe('body');
  }
  expect(sockets.size).toBe(1);
});

test.each([
  ['longer than its place', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n'],
  ['longer than it says', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nbody'],
  ['of unknown length', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'],
  ['of a negative length', 'HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n'],
  ['compressed', 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Encoding: gzip\r\n\r\nbody'],
  ['an error', 'HTTP/1.1 503 Slow Down\r\nContent-Length: 4\r\n\r\nbody'],
  ['not HTTP', 'SSH-2.0-OpenSSH_9.2\r\n\r\n'],
  ['a head without an end', 'HTTP/1.1 200 OK\r\n'.padEnd(70_000, 'x')],
])('an answer that is %s is left to Node’s client', async (_, text) => {
  const port = await serve((socket) => written(socket, text));
  expect(await get(port, Buffer.alloc(4))).toBeNull();
});

test.each([
  ['in the head', 'HTTP/1.1 200 OK\r\nContent-'],
  ['in the body', 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbo'],
])('a server that hangs up or falls silent %s', async (_, text) => {
  const port = await serve(async (socket, request) => {
    await written(socket, text);
    if (request === 1) socket.end();
  });
  await expect(get(port, Buffer.alloc(4))).rejects.toMatchObject({ code: 'ECONNRESET' });
  await expect(get(port, Buffer.alloc(4))).rejects.toMatchObject({ code: 'ETIMEDOUT' });
});
