import { createServer, request } from 'node:http';
import type { ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { HttpRequest } from '@smithy/core/protocols';
import { SignatureV4 } from '@smithy/signature-v4';
import { createHash, createHmac } from 'node:crypto';
import type { Surroundings } from '../../config/environment.ts';

/** A request on its way to the real server. `key` is the path without the bucket, decoded. */
export type Asked = {
  method: string;
  key: string;
  query: Record<string, string>;
  headers: Record<string, string>;
  body: Buffer;
};
export type Answer = { status: number; headers: Record<string, string>; body: Buffer | string };

/** What a server does with a request; `pass` has the real one do it, with other headers where they are changed. */
export type Oddity = (
  asked: Asked,
  pass: (headers?: Record<string, string>) => Promise<Answer>,
  raw: Socket,
) => Promise<Answer | null> | Answer | null;

export type OddS3 = { s3: Surroundings['s3']; asked: Asked[]; stop: () => void };

/** An S3 error, as XML. */
export const refusal = (status: number, code: string, more = '', headers: Record<string, string> = {}): Answer => ({
  status,
  headers: { 'content-type': 'application/xml', ...headers },
  body: `<?xml version="1.0"?><Error><Code>${code}</Code><Message>by the test</Message>${more}</Error>`,
});

/** The headers but some. */
export const without = (headers: Record<string, string>, names: RegExp): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => !names.test(name)));

class Sha256 {
  readonly #hash;
  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.#hash =
      secret === undefined ? createHash('sha256') : createHmac('sha256', secret as string | NodeJS.ArrayBufferView);
  }
  update(data: string | Uint8Array): void {
    this.#hash.update(data);
  }
  digest(): Promise<Uint8Array> {
    return Promise.resolve(this.#hash.digest());
  }
  reset(): void {
    // Nobody uses one twice.
  }
}

/**
 * A server with an oddity: it stands before a real one and signs what it passes on anew, so that it can take headers out.
 * `null` as an answer: it was written to the connection already, or none comes.
 */
export async function startOddS3(s3: Surroundings['s3'], oddity: Oddity): Promise<OddS3> {
  const target = new URL(s3.endpoint ?? '');
  const asked: Asked[] = [];
  const server = createServer((incoming, outgoing) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('end', () => {
      const url = new URL(incoming.url ?? '/', target);
      const one: Asked = {
        method: incoming.method ?? 'GET',
        key: decodeURIComponent(url.pathname.split('/').slice(2).join('/')),
        query: Object.fromEntries(url.searchParams),
        headers: incoming.headers as Record<string, string>,
        body: Buffer.concat(chunks),
      };
      asked.push(one);
      const pass = (headers = one.headers) => passOn(s3, target, url.pathname, one, headers);
      Promise.resolve(oddity(one, pass, incoming.socket)).then(
        (answer) => {
          if (answer !== null) write(outgoing, answer);
        },
        () => incoming.socket.destroy(),
      );
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    s3: { ...s3, endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}` },
    asked,
    stop: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

function write(outgoing: ServerResponse, { status, headers, body }: Answer): void {
  outgoing.writeHead(status, {
    ...without(headers, /^(content-length|connection|transfer-encoding)$/),
    'content-length': Buffer.byteLength(body),
  });
  outgoing.end(body);
}

async function passOn(
  { credentials, region }: Surroundings['s3'],
  target: URL,
  path: string,
  { method, query, body }: Asked,
  headers: Record<string, string>,
): Promise<Answer> {
  if (!credentials) throw new Error('no credentials');
  const kept = without(
    headers,
    /^(authorization|host|connection|expect|x-amz-date|content-length|amz-sdk-|user-agent|x-amz-user-agent)/,
  );
  const signer = new SignatureV4({ service: 's3', credentials, region, sha256: Sha256, uriEscapePath: false });
  const signed = await signer.sign(
    new HttpRequest({
      method,
      hostname: target.hostname,
      port: Number(target.port),
      path,
      query,
      headers: { ...kept, host: target.host, 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' },
    }),
  );
  return new Promise((resolve, reject) => {
    const search = new URLSearchParams(query).toString().replaceAll('+', '%20');
    const onward = request(
      new URL(`${path}${search === '' ? '' : `?${search}`}`, target),
      { method, headers: { ...signed.headers, 'content-length': body.length } },
      (answer) => {
        const chunks: Buffer[] = [];
        answer.on('data', (chunk: Buffer) => chunks.push(chunk));
        answer.on('error', reject);
        answer.on('end', () => {
          const { statusCode = 502 } = answer;
          resolve({
            status: statusCode,
            headers: answer.headers as Record<string, string>,
            body: Buffer.concat(chunks),
          });
        });
      },
    );
    onward.on('error', reject);
    onward.end(body);
  });
}

/** A write of a whole object. */
export const isPut = ({ method, query }: Asked): boolean => method === 'PUT' && !('uploadId' in query);
/** A request with a condition. */
export const isCondition = ({ headers }: Asked): boolean => 'if-match' in headers || 'if-none-match' in headers;
/** A request with a checksum of any kind. */
export const asksChecksum = ({ headers }: Asked): boolean =>
  Object.keys(headers).some((name) => /^x-amz-(checksum|sdk-ch)/.test(name));
/** What answers whole writes: with an answer of its own, before or after the real server has done it, or with what it makes of the real one. */
export const puts =
  (answer: Answer | ((asked: Asked, passed: Answer) => Answer), applied = false): Oddity =>
  async (asked, pass) => {
    if (!isPut(asked)) return pass();
    if (typeof answer !== 'function') {
      if (applied) await pass();
      return answer;
    }
    return answer(asked, await pass());
  };
/** A page, as of a proxy. */
export const html = (status: number): Answer => ({
  status,
  headers: { 'content-type': 'text/html' },
  body: '<html><body>Sign in<br></body></html>',
});

/** One that refuses some requests. */
export const refuses =
  (when: (asked: Asked) => boolean, answer: Answer): Oddity =>
  (asked, pass) =>
    when(asked) ? answer : pass();
