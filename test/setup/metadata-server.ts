import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A cloud's metadata service that knows one host. */
export type MetadataServer = {
  /** `127.0.0.1:PORT`. */
  host: string;
  url: string;
  /** From now on the host is about to go; false takes it back. */
  setGoing: (going: boolean) => void;
  /** Every token handed out so far is refused (AWS). */
  expireTokens: () => void;
  /** Requests so far, as `METHOD path`, without their query. */
  asked: string[];
  stop: () => Promise<void>;
};

/** Answers as IMDSv2 of AWS and the metadata server of Google Cloud do, refusals included. */
export async function startMetadataServer(port = 0): Promise<MetadataServer> {
  const asked: string[] = [];
  let going = false;
  let tokens = new Set<string>();
  let waiting: (() => void)[] = [];
  const answer = (response: ServerResponse, status: number, body = '', headers = {}): void => {
    response.writeHead(status, headers).end(body);
  };
  const aws = (request: IncomingMessage, response: ServerResponse, path: string): void => {
    if (path === '/latest/api/token') {
      const isRight = request.method === 'PUT' && request.headers['x-aws-ec2-metadata-token-ttl-seconds'] !== undefined;
      const token = `token-${tokens.size + 1}-${asked.length}`;
      if (isRight) tokens.add(token);
      answer(response, isRight ? 200 : 400, token);
    } else if (!tokens.has(String(request.headers['x-aws-ec2-metadata-token']))) answer(response, 401);
    else if (!going) answer(response, 404);
    else answer(response, 200, JSON.stringify({ action: 'terminate', time: '2026-11-21T14:00:00Z' }));
  };
  const gcp = (request: IncomingMessage, response: ServerResponse, query: URLSearchParams): void => {
    const tell = (): void => {
      answer(response, 200, going ? 'TRUE' : 'FALSE', { etag: String(going) });
    };
    if (request.headers['metadata-flavor'] !== 'Google') answer(response, 403);
    else if (query.get('wait_for_change') === 'true' && query.get('last_etag') === String(going)) waiting.push(tell);
    else tell();
  };
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://metadata');
    asked.push(`${request.method ?? ''} ${pathname}`);
    if (pathname.startsWith('/latest/')) aws(request, response, pathname);
    else gcp(request, response, searchParams);
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    ...{ host, url: `http://${host}`, asked },
    setGoing: (now) => {
      going = now;
      for (const tell of waiting) tell();
      waiting = [];
    },
    expireTokens: () => (tokens = new Set()),
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
