import type { IncomingMessage, ServerResponse } from 'node:http';

/** OpenAI takes batch files of up to 200 MB. */
const mostBodyBytes = 256 * 1024 * 1024;

export function send(response: ServerResponse, status: number, body: unknown): void {
  if (response.headersSent || response.destroyed) return;
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

/** An error in the shape that the official client reads. */
export const sendError = (
  response: ServerResponse,
  status: number,
  message: string,
  code: string | null = null,
): void => {
  send(response, status, errorBody(message, code));
};

export const errorBody = (message: string, code: string | null = null) => ({
  error: { message, type: 'simulated', param: null, code },
});

/** @throws Error when the body is larger than any that OpenAI would take */
export async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > mostBodyBytes) throw new Error(`a body of more than ${mostBodyBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

export const readJson = async (request: IncomingMessage): Promise<unknown> =>
  JSON.parse((await readBody(request)).toString('utf8')) as unknown;
