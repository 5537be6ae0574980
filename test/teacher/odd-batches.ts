import { createServer } from 'node:http';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { startSimulatedTeacher } from './simulated-server.ts';

/** A batch as it goes over the wire; anything may be missing or wrong. */
export type BatchBody = Record<string, unknown>;
/** What a client gets in place of the usual: another body, or another status. */
export type Changed = { status?: number; body: string };

/** What is odd about a server with a Batch API. */
export type Oddity = {
  /** Of the simulated teacher behind it. */
  env?: Record<string, string>;
  /** What a look at a batch is answered with; `look` counts from 1, for each batch. Undefined = 404. */
  batch?: (batch: BatchBody, look: number) => BatchBody | undefined;
  /** What a file's content is answered with; `read` counts from 1, for each file. */
  content?: (text: string, read: number) => Changed;
};

const bytesOf = async (request: IncomingMessage): Promise<Buffer> => {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
};

/** The simulated teacher behind a real HTTP server that changes what batches and their files look like. */
export async function startOddBatches({ env = {}, batch, content }: Oddity) {
  const teacher = await startSimulatedTeacher(env);
  const counts = new Map<string, number>();
  const next = (what: string): number => {
    counts.set(what, (counts.get(what) ?? 0) + 1);
    return counts.get(what) ?? 0;
  };
  const changed = (url: string, text: string): Changed => {
    if (/\/batches\/[^/]+$/.test(url) && batch) {
      const body = batch(JSON.parse(text) as BatchBody, next(url));
      return body ? { body: JSON.stringify(body) } : { status: 404, body: '{"error":{"message":"No such batch"}}' };
    }
    return /\/content$/.test(url) && content ? content(text, next(url)) : { body: text };
  };
  const server = createServer((request, response) => {
    void (async () => {
      const { method = 'GET', url = '' } = request;
      const body = await bytesOf(request);
      const headers = { 'content-type': request.headers['content-type'] ?? 'application/json' };
      const whole = { method, headers, ...(body.length > 0 && { body }) };
      const answer = await fetch(new URL(url, teacher.baseUrl), whole);
      const text = await answer.text();
      const now = method === 'GET' && answer.ok ? changed(url, text) : { body: text };
      response.writeHead(now.status ?? answer.status, { 'content-type': 'application/json' }).end(now.body);
    })();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    stats: teacher.stats,
    stop: async (): Promise<void> => {
      server.closeAllConnections();
      server.close();
      await teacher.stop();
    },
  };
}
