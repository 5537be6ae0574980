import { Readable } from 'node:stream';
import type { HttpRequest } from '@smithy/core/protocols';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { createDirectHttp } from './direct-http.ts';
import type { DirectHttp, Limits } from './direct-http.ts';

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
export function createHttpHandler(limits: Limits): NodeHttpHandler {
  const handler = new NodeHttpHandler({ connectionTimeout: limits.connectMs, socketTimeout: limits.idleMs });
  const direct = createDirectHttp(limits);
  directs.set(handler, direct);
  const [handle, destroy] = [handler.handle.bind(handler), handler.destroy.bind(handler)];

  handler.handle = async (request, options) => {
    const into = destinations.get(request);
    if (into === undefined) return handle(request, options);
    const { response } = await handle(request, options);
    if (response.statusCode < 300) response.body = await drained(response.body as Readable, into);
    return { response };
  };
  handler.destroy = () => {
    destroy();
    direct.destroy();
  };
  return handler;
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
