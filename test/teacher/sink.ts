import { createServer } from 'node:http';
import type { IncomingHttpHeaders, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { sendJson } from './openai-server.ts';

type Seen = { url: string; headers: IncomingHttpHeaders; body: string };
/** Writes down what it is sent. @param answer how it answers; default: as a server that has everything */
export async function startSink(answer: (response: ServerResponse, url: string) => boolean = () => false) {
  const seen: Seen[] = [];
  const server: Server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const url = request.url ?? '';
      seen.push({ url, headers: request.headers, body: Buffer.concat(chunks).toString() });
      if (answer(response, url)) return;
      if (url.endsWith('/models')) sendJson(response, 200, { object: 'list', data: [{ id: 'gpt-4.1-nano' }] });
      else if (url.includes('/batches/')) sendJson(response, 200, { id: 'b', object: 'batch', status: 'completed' });
      else if (url.includes('/batches')) sendJson(response, 200, { object: 'list', data: [], has_more: false });
      else sendJson(response, 200, { choices: [{ finish_reason: 'stop', message: { content: 'YES' } }], id: 'x' });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const stop = (): Promise<void> => {
    server.closeAllConnections();
    return new Promise((resolve) =>
      server.close(() => {
        resolve();
      }),
    );
  };
  return { seen, port, origin: `http://127.0.0.1:${port}`, baseUrl: `http://127.0.0.1:${port}/v1`, stop };
}
export type Sink = Awaited<ReturnType<typeof startSink>>;
