import OpenAI from 'openai';
import { expect, it } from 'vitest';
import { faultOf } from '../../activities/teacher/teacher-failure.ts';

/** As the client fails of what no server of a test can do: networks, names, certificates. */
const fetchFailed = (cause: object) => Object.assign(new TypeError('fetch failed'), { cause });
it.each<[what: string, error: Error, perhapsPaid: boolean]>([
  ['DNS that fails for now', fetchFailed({ code: 'EAI_AGAIN', syscall: 'getaddrinfo' }), false],
  ['no way to the host', fetchFailed({ code: 'EHOSTUNREACH' }), false],
  ['no way to the network', fetchFailed({ code: 'ENETUNREACH' }), false],
  ['IPv6 and IPv4 refused', fetchFailed({ errors: [{ code: 'ECONNREFUSED' }, { code: 'ECONNREFUSED' }] }), false],
  ['no connection in time', fetchFailed({ code: 'UND_ERR_CONNECT_TIMEOUT' }), false],
  ['a connection that the system gives up', fetchFailed({ code: 'ETIMEDOUT', syscall: 'connect' }), false],
  ['a certificate that has expired', fetchFailed({ code: 'CERT_HAS_EXPIRED' }), false],
  ['a certificate of its own', fetchFailed({ code: 'DEPTH_ZERO_SELF_SIGNED_CERT' }), false],
  ['a certificate of another host', fetchFailed({ code: 'ERR_TLS_CERT_ALTNAME_INVALID' }), false],
  [
    'a proxy that lets nothing through',
    fetchFailed({ message: 'Proxy response (407) !== 200 when HTTP Tunneling' }),
    false,
  ],
  ['a socket that closes unused', fetchFailed({ code: 'UND_ERR_SOCKET', socket: { bytesWritten: 0 } }), false],
  ['a socket that closes', fetchFailed({ code: 'UND_ERR_SOCKET', socket: { bytesWritten: 900 } }), true],
  ['a reset', fetchFailed({ code: 'ECONNRESET', syscall: 'read' }), true],
  ['no headers in time', fetchFailed({ code: 'UND_ERR_HEADERS_TIMEOUT' }), true],
])('a client that fails by %s', (_, error, perhapsPaid) => {
  const fault = faultOf(new OpenAI.APIConnectionError({ cause: error }), {
    redact: (text) => text,
    section: 'teacher',
  });
  expect(fault).toMatchObject({ kind: 'transient', reason: 'connection', perhapsPaid });
});
