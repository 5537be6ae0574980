import { asksChecksum, html, isCondition, isPut, puts, refusal, refuses, without } from './odd-s3.ts';
import type { Oddity } from './odd-s3.ts';

let conflicts = 0;

/** Servers that differ and can be used: name, what they do, how often the difference may be met before it is known. */
export const usable: [name: string, oddity: Oddity, most?: number][] = [
  ['is as it should be', (_, pass) => pass()],
  [
    'knows no checksum of a whole upload (R2)',
    refuses(({ headers }) => headers['x-amz-checksum-type'] === 'FULL_OBJECT', refusal(501, 'NotImplemented')),
    1,
  ],
  [
    'refuses the checksum of a whole upload at its end',
    (asked, pass) => {
      if (asked.headers['x-amz-checksum-type'] === 'FULL_OBJECT') full.add(asked.key);
      if (asked.headers['x-amz-checksum-type'] === 'COMPOSITE') full.delete(asked.key);
      return asked.method === 'POST' && 'uploadId' in asked.query && full.has(asked.key)
        ? refusal(400, 'InvalidRequest')
        : pass();
    },
    2,
  ],
  [
    'knows no type of checksum',
    refuses(({ headers }) => 'x-amz-checksum-type' in headers, refusal(400, 'InvalidArgument')),
    2,
  ],
  ['knows no checksum at all (B2)', refuses(asksChecksum, refusal(400, 'InvalidArgument')), 5],
  ['answers 501 to any checksum', refuses(asksChecksum, refusal(501, 'NotImplemented')), 5],
  ['answers 400 without words to any checksum', refuses(asksChecksum, { status: 400, headers: {}, body: '' }), 5],
  [
    'has a proxy before it that breaks signatures over checksums',
    refuses(asksChecksum, refusal(403, 'SignatureDoesNotMatch')),
    5,
  ],
  [
    'has a proxy before it that drops checksums',
    (asked, pass) => pass(without(asked.headers, /^x-amz-(checksum|sdk-checksum)/)),
    3,
  ],
  ['deletes no many objects at once', refuses(({ query }) => 'delete' in query, refusal(400, 'MissingContentMD5')), 1],
  [
    'answers 409 now and then',
    refuses(
      (asked) => isPut(asked) && isCondition(asked) && (conflicts += 1) % 3 !== 0,
      refusal(409, 'ConditionalRequestConflict'),
    ),
  ],
  ['answers PUT with 204', puts((_, passed) => (passed.status === 200 ? { ...passed, status: 204 } : passed))],
  [
    'answers PUT with 201 and a page',
    puts((_, passed) => (passed.status === 200 ? { ...passed, status: 201, body: '<html>ok</html>' } : passed)),
  ],
  [
    'has weak ETags for readers',
    async ({ method }, pass) => {
      const answer = await pass();
      return method === 'GET' && answer.headers['etag']
        ? { ...answer, headers: { ...answer.headers, etag: `W/${answer.headers['etag']}` } }
        : answer;
    },
  ],
  [
    'answers PUT by a head alone and closes',
    async (asked, pass, raw) => {
      const answer = await pass();
      if (!isPut(asked) || answer.status !== 200) return answer;
      raw.end(`HTTP/1.1 200 OK\r\nETag: ${answer.headers['etag'] ?? ''}\r\nConnection: close\r\n\r\n`);
      return null;
    },
  ],
  [
    'says to go on first',
    async (asked, pass, raw) => {
      const answer = await pass();
      if (!isPut(asked) || answer.status !== 200) return answer;
      raw.write(
        `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\nETag: ${answer.headers['etag'] ?? ''}\r\nContent-Length: 0\r\n\r\n`,
      );
      return null;
    },
  ],
  [
    'answers PUT with a body that never ends',
    async (asked, pass, raw) => {
      const answer = await pass();
      if (!isPut(asked) || answer.status !== 200) return answer;
      raw.write(
        `HTTP/1.1 200 OK\r\nETag: ${answer.headers['etag'] ?? ''}\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n`,
      );
      return null;
    },
  ],
];
const full = new Set<string>();

/** What becomes odd while a run is under way: every way to write ends, by name, and soon. */
export const broken: [name: string, oddity: Oddity, words: RegExp][] = [
  ['answers 412 although there is nothing', puts(refusal(412, 'PreconditionFailed')), /in a row/],
  ['answers 409 for ever', puts(refusal(409, 'ConditionalRequestConflict')), /answered 409/],
  [
    'has done it and answers 412',
    (asked, pass) =>
      isPut(asked) && isCondition(asked)
        ? Promise.resolve(pass({ ...asked.headers })).then(() => refusal(412, 'PreconditionFailed'))
        : pass(),
    /./,
  ],
  ['answers PUT with a page', puts(html(200)), /without an ETag/],
  ['answers PUT with 204 and no ETag', puts({ status: 204, headers: {}, body: '' }), /without an ETag/],
  ['answers everything with a page', () => html(200), /without an ETag/],
  [
    'only says to go on',
    (asked, pass, raw) => {
      if (!isPut(asked)) return pass();
      raw.write('HTTP/1.1 100 Continue\r\n\r\n');
      return null;
    },
    /TimeoutError|timed? ?out|ECONNRESET/i,
  ],
  [
    'says to go on for ever',
    (asked, pass, raw) => {
      if (!isPut(asked)) return pass();
      raw.write('HTTP/1.1 100 Continue\r\n\r\n'.repeat(40));
      return null;
    },
    /./,
  ],
  [
    'begins an answer and hangs up',
    (asked, pass, raw) => {
      if (!isPut(asked)) return pass();
      raw.end('HTTP/1.1 200 OK\r\nETa');
      return null;
    },
    /./,
  ],
];
