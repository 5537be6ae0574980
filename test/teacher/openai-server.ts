import { createServer } from 'node:http';
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What a test's server does with the n-th chat request; it answers itself, or leaves the usual answer to be sent. */
export type Behaviour = (body: { messages: { content: string }[] }, response: ServerResponse, n: number) => boolean;

const bodyOf = async (request: IncomingMessage): Promise<string> => {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
};

export const sendJson = (response: ServerResponse, status: number, body: unknown): true => {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  return true;
};

/** A paid server as far as a client can tell: real HTTP, answers `YES`, 100 tokens in and 50 out per call. */
export async function startOpenAiServer(
  options: { key?: string; models?: string[]; owner?: string; behave?: Behaviour } = {},
) {
  const seen = { chats: 0, paid: 0, bodies: [] as string[] };
  /** Of every request, whatever it asked. */
  const headers: IncomingHttpHeaders[] = [];
  const models = options.models ?? ['gpt-4.1-nano'];
  const server = createServer((request, response) => void answer(request, response));
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await bodyOf(request);
    headers.push(request.headers);
    const sent = request.headers.authorization?.replace('Bearer ', '') ?? '';
    if (options.key !== undefined && sent !== options.key) {
      // As careless as a server can be: it repeats the key.
      sendJson(response, 401, { error: { message: `Incorrect API key provided: ${sent}.`, code: 'invalid_api_key' } });
    } else if (request.url === '/v1/models') {
      sendJson(response, 200, {
        object: 'list',
        data: models.map((id) => ({ id, object: 'model', owned_by: options.owner ?? 'somebody' })),
      });
    } else if (request.url?.startsWith('/v1/models/')) {
      sendJson(response, 404, { error: { message: 'no such model', code: 'model_not_found' } });
    } else if (request.url !== '/v1/chat/completions') {
      sendJson(response, 404, { error: { message: `Invalid URL (${request.method} ${request.url})` } });
    } else {
      seen.chats += 1;
      seen.bodies.push(body);
      if (options.behave?.(JSON.parse(body) as Parameters<Behaviour>[0], response, seen.chats) === true) return;
      seen.paid += 1;
      const content = '## Final Assessment\nBased on this analysis, the answer is: **YES**';
      sendJson(response, 200, {
        id: 'x',
        object: 'chat.completion',
        model: 'gpt-4.1-nano-2025-04-14',
        choices: [{ index: 0, message: { role: 'assistant', content, refusal: null }, finish_reason: 'stop' }],
        usage: { prompt_tokens: 100, completion_tokens: 50, total_tokens: 150 },
      });
    }
  };
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
  return { baseUrl: `http://127.0.0.1:${port}/v1`, seen, headers, stop };
}
