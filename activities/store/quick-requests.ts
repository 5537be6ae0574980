import type { S3Client } from '@aws-sdk/client-s3';
import { HttpRequest, extendedEncodeURIComponent } from '@smithy/core/protocols';
import { SignatureV4 } from '@smithy/signature-v4';
import { isProxied } from '../../config/proxy.ts';
import type { DirectResponse } from './direct-http.ts';
import { directOf } from './http-handler.ts';

/** Of a PutObject, with its condition, or, with the last two, of an UploadPart. */
export type QuickPut = {
  Bucket: string;
  Key: string;
  Body: Uint8Array;
  ChecksumCRC32?: string | undefined;
  ContentType?: string;
  IfNoneMatch?: string;
  IfMatch?: string;
  UploadId?: string | undefined;
  PartNumber?: number;
};

type QuickGet = { Bucket: string; Key: string; Range?: string | undefined };

type Quick = Pick<QuickPut, 'Bucket' | 'Key'> & {
  query?: Record<string, string>;
  headers: Record<string, string | undefined>;
} & ({ method: 'PUT'; body: Uint8Array } | { method: 'GET'; into: Uint8Array });

const NO_ANSWER = new Uint8Array(0);

/** What a server says of what it has taken; every S3 server has an ETag for it. */
export type Taken = { ETag?: string | undefined };

/** The first attempt at an upload, as {@link ask} makes it. @returns null: the SDK is to ask */
export async function quickPut(client: S3Client, put: QuickPut): Promise<Taken | null> {
  const { Bucket, Key, Body, UploadId = '', PartNumber } = put;
  const headers = {
    'content-length': String(Body.length),
    'content-type': put.ContentType,
    'if-none-match': put.IfNoneMatch,
    'if-match': put.IfMatch,
    'x-amz-checksum-crc32': put.ChecksumCRC32,
  };
  const query = PartNumber === undefined ? {} : { partNumber: String(PartNumber), uploadId: UploadId };
  const answer = await ask(client, { method: 'PUT', Bucket, Key, query, headers, body: Body });
  return answer && { ETag: answer.headers['etag'] };
}

/** The first attempt at a download into memory, as {@link ask} makes it. @returns null: the SDK is to ask */
export const quickGet = (
  client: S3Client,
  { Bucket, Key, Range }: QuickGet,
  into: Uint8Array,
): Promise<DirectResponse | null> => ask(client, { method: 'GET', Bucket, Key, headers: { range: Range }, into });

/**
 * One request over plain HTTP to an endpoint that was named: signed, and past the SDK's stack of middleware, which takes as much CPU a
 * request as the SHA-256 of a MiB.
 *
 * @returns null when it did not succeed or cannot be tried here: the SDK is to ask, which repeats and has words for errors
 */
async function ask(client: S3Client, quick: Quick): Promise<DirectResponse | null> {
  const { config } = client;
  const direct = directOf(config.requestHandler);
  const { protocol, hostname, port = 80, path } = (await config.endpoint?.()) ?? {};
  if (!direct || protocol !== 'http:' || hostname === undefined || path !== '/' || !config.forcePathStyle) return null;
  // Sockets of our own go to the server itself.
  if (isProxied('http:', hostname)) return null;
  const given = Object.entries(quick.headers).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]]));
  const request = new HttpRequest({
    method: quick.method,
    hostname,
    port,
    path: `/${[quick.Bucket, ...quick.Key.split('/')].map(extendedEncodeURIComponent).join('/')}`,
    query: quick.query ?? {},
    headers: {
      host: `${hostname}:${port}`,
      ...(Object.fromEntries(given) as Record<string, string>),
      'x-amz-content-sha256': 'UNSIGNED-PAYLOAD',
    },
  });
  const { credentials, region, sha256, systemClockOffset } = config;
  const signer = new SignatureV4({ service: 's3', credentials, region, sha256, uriEscapePath: false });
  const signingDate = new Date(Date.now() + systemClockOffset);
  try {
    const signed = asDirect(await signer.sign(request, { signingDate }));
    return await (quick.method === 'PUT'
      ? direct.ask({ ...signed, body: quick.body }, NO_ANSWER)
      : direct.ask(signed, quick.into));
  } catch {
    return null;
  }
}

const withoutBrackets = (hostname: string): string => hostname.replace(/^\[(.*)\]$/, '$1');

type Signed = Pick<HttpRequest, 'method' | 'hostname' | 'port' | 'path' | 'headers'> & { query?: HttpRequest['query'] };

/** A signed request in the words of {@link createDirectHttp}, without its body. */
function asDirect({ method, hostname, port = 80, path, query = {}, headers }: Signed) {
  const parameters = Object.entries(query).map((pair) =>
    pair.map((text) => encodeURIComponent(String(text))).join('='),
  );
  const target = parameters.length > 0 ? `${path}?${parameters.join('&')}` : path;
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  const head = [`${method} ${target} HTTP/1.1`, ...lines, '', ''].join('\r\n');
  return { hostname: withoutBrackets(hostname), port, head };
}

/** A CRC32 as S3 writes it. */
export function checksumOf(crc32: number): string {
  const sum = Buffer.alloc(4);
  sum.writeUInt32BE(crc32);
  return sum.toString('base64');
}
