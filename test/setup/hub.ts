import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What a test hub does with one request; undefined = as a hub does. */
export type Oddity = (request: IncomingMessage, response: ServerResponse, nth: number) => boolean | undefined;

/** A data set as the hub keeps it: content by path. */
export type HubDataset = Readonly<Record<string, string>>;

export type TestHub = {
  url: string;
  /** `METHOD path` of every request, and the token it came with. */
  seen: { url: string; authorization: string | undefined }[];
  stop: () => Promise<void>;
};

/**
 * A hub over HTTP on loopback: both listings (the tree in pages of two), and files. `odd` is asked first and returns true
 * where it has answered itself; `nth` counts the requests of the same path from 1.
 */
export async function startHub(datasets: Readonly<Record<string, HubDataset>>, odd?: Oddity): Promise<TestHub> {
  const seen: TestHub['seen'] = [];
  const counts = new Map<string, number>();
  const server = createServer((request, response) => {
    const url = request.url ?? '';
    const nth = (counts.get(url) ?? 0) + 1;
    counts.set(url, nth);
    seen.push({ url, authorization: request.headers.authorization });
    if (odd?.(request, response, nth)) return;
    answer(datasets, request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    stop: () => {
      server.closeAllConnections();
      return new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
      });
    },
  };
}

export const commit = '0123456789abcdef0123456789abcdef01234567';

function answer(
  datasets: Readonly<Record<string, HubDataset>>,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const url = new URL(request.url ?? '', `http://${request.headers.host ?? ''}`);
  const path = decodeURIComponent(url.pathname);
  const json = (value: unknown, headers: Record<string, string> = {}) =>
    response.writeHead(200, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(value));
  const info = /^\/api\/datasets\/([^/]+\/[^/]+)\/revision\/[^/]+$/.exec(path);
  const tree = /^\/api\/datasets\/([^/]+\/[^/]+)\/tree\/[^/]+$/.exec(path);
  const file = /^\/datasets\/([^/]+\/[^/]+)\/resolve\/[^/]+\/(.+)$/.exec(path);
  const files = datasets[(info ?? tree ?? file)?.[1] ?? ''];
  const content = files?.[file?.[2] ?? ''];
  if (info && files) json({ sha: commit, siblings: Object.keys(files).map((rfilename) => ({ rfilename })) });
  else if (tree && files) {
    const page = Number(url.searchParams.get('cursor') ?? '0');
    const entries = Object.entries(files).map(([name, text]) => ({
      type: 'file',
      path: name,
      size: Buffer.byteLength(text),
    }));
    url.searchParams.set('cursor', String(page + 2));
    json(entries.slice(page, page + 2), entries.length > page + 2 ? { link: `<${url.href}>; rel="next"` } : {});
  } else if (content !== undefined) response.writeHead(200).end(content);
  else response.writeHead(404, { 'x-error-code': 'EntryNotFound' }).end();
}
