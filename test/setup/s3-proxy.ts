import { createServer, request } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A request on its way to S3. `number` counts from 1. */
export type Passing = { number: number; method: string; key: string };

export type S3Proxy = {
  /** For `AWS_ENDPOINT_URL_S3`. */
  endpoint: string;
  stop: () => void;
};

/**
 * Stands between a client and an S3 server. Bodies pass as they are; the Host header too, which is signed.
 *
 * @param hooks.before runs before S3 hears of a request; returns an error code for S3's answer, or null to let it pass
 * @param hooks.after runs when S3 has done it and the client does not know yet
 */
export async function startS3Proxy(
  target: string,
  hooks: {
    before?: (passing: Passing) => Promise<string | null> | string | null;
    after?: (passing: Passing) => Promise<void> | void;
  },
): Promise<S3Proxy> {
  let count = 0;
  const pass = async (incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> => {
    const { method = 'GET', url = '/', headers } = incoming;
    const passing = { number: (count += 1), method, key: decodeURIComponent(url.split('?')[0] ?? '') };
    const refusal = (await hooks.before?.(passing)) ?? null;
    if (refusal !== null) {
      outgoing.writeHead(400, { 'content-type': 'application/xml', connection: 'close' });
      outgoing.end(`<?xml version="1.0"?><Error><Code>${refusal}</Code><Message>by the test</Message></Error>`);
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const onward = request(new URL(url, target), { method, headers }, (answer) => {
        const chunks: Buffer[] = [];
        answer.on('data', (chunk: Buffer) => chunks.push(chunk));
        answer.on('error', reject);
        answer.on('end', () => {
          const relay = async (): Promise<void> => {
            await hooks.after?.(passing);
            outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
            outgoing.end(Buffer.concat(chunks));
          };
          relay().then(resolve, reject);
        });
      });
      onward.on('error', reject);
      incoming.pipe(onward);
    });
  };
  const server = createServer((incoming, outgoing) => {
    // A client that is gone, or a server: the other side sees a broken connection, as it would without us.
    pass(incoming, outgoing).catch(() => outgoing.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
