import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { Readable, Transform, pipeline } from 'node:stream';
import type { HttpRequest } from '@smithy/core/protocols';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { createDirectHttp } from './direct-http.ts';
import type { DirectHttp, Limits } from './direct-http.ts';

/**
 * Of an answer that is read whole into memory: a state, a page of a listing, an error. A server that drips bytes for ever is never
 * idle, and one that pours them fills the memory.
 */
const ANSWER = { bytes: 256 * 1024 * 1024, ms: 300_000 };

const destinations = new WeakMap<HttpRequest, Uint8Array>();

const directs = new WeakMap<object, DirectHttp>();

/** The connections that a handler of {@link createHttpHandler} has beside those of Node's client. */
export const directOf = (handler: object): DirectHttp | undefined => directs.get(handler);

/** Asks the handler to put the body of a successful answer to this request into memory; the answer then has none. */
export const putBodyInto = (request: HttpRequest, into: Uint8Array): unknown => destinations.set(request, into);

/**
 * The SDK's handler, which also knows {@link putBodyInto}. The body is whole when `handle` resolves, so a transfer that breaks off
 * is one more failed request for the SDK's retries.
 */
export function createHttpHandler(limits: Limits, answer = ANSWER): NodeHttpHandler {
  // Agents of ours, because the SDK's know of no proxy; its own number of sockets.
  const sockets = { keepAlive: true, maxSockets: 50, proxyEnv: process.env };
  const handler = new NodeHttpHandler({
    connectionTimeout: limits.connectMs,
    socketTimeout: limits.idleMs,
    httpAgent: new HttpAgent(sockets),
    httpsAgent: new HttpsAgent(sockets),
  });
  const direct = createDirectHttp(limits);
  directs.set(handler, direct);
  const [handle, destroy] = [handler.handle.bind(handler), handler.destroy.bind(handler)];

  handler.handle = async (request, options) => {
    const into = destinations.get(request);
    const { response } = await handle(request, options);
    if (into === undefined) response.body = bounded(response.body as Readable, answer);
    else if (response.statusCode < 300) response.body = await drained(response.body as Readable, into);
    return { response };
  };
  handler.destroy = () => {
    destroy();
    direct.destroy();
  };
  return handler;
}

/** The same body, which ends with an error for the SDK's retries where it goes on for too long. */
function bounded(body: Readable, { bytes, ms }: typeof ANSWER): Readable {
  let left = bytes;
  const tooLong = () => Object.assign(new Error('the answer does not end'), { name: 'TimeoutError' });
  const limiter = new Transform({
    transform(chunk: Buffer, _, done) {
      left -= chunk.length;
      if (left < 0) done(tooLong());
      else done(null, chunk);
    },
  });
  const timer = setTimeout(() => limiter.destroy(tooLong()), ms).unref();
  pipeline(body, limiter, () => {
    clearTimeout(timer);
  });
  return limiter;
}

/** Of a body that is longer than its place nothing is kept: the caller sees its length in the answer. */
async function drained(body: Readable, into: Uint8Array): Promise<Readable> {
  let filled = 0;
  for await (const chunk of body as AsyncIterable<Uint8Array>) {
    if (filled + chunk.length > into.length) break;
    into.set(chunk, filled);
    filled += chunk.length;
  }
  return Readable.from([]);
}
