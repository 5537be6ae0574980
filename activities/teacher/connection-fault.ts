/** Codes with which a request does not leave this host: no name, no way, nobody there. */
const unsent: readonly string[] = [
  ...['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EAI_FAIL', 'EAI_NODATA', 'EHOSTUNREACH', 'EHOSTDOWN', 'ENETUNREACH'],
  ...['ENETDOWN', 'EADDRNOTAVAIL', 'EMFILE', 'ENFILE', 'ENOENT', 'EACCES', 'EPERM', 'ERR_INVALID_URL'],
  'UND_ERR_CONNECT_TIMEOUT',
];
/** No encrypted connection came about. */
const tls =
  /^(?:ERR_TLS_|ERR_SSL_|CERT_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|EPROTO$|HOSTNAME_MISMATCH|INVALID_CA|CRL_)/;
const words = /before secure TLS connection was established|HTTP Tunneling|^bad port$|^unknown scheme$|^invalid url/i;

type Caused = {
  code?: unknown;
  syscall?: unknown;
  message?: unknown;
  cause?: unknown;
  errors?: unknown;
  socket?: unknown;
};

/** An error and what caused it, down to the system's own; of one made of several, all. */
function chainOf(error: unknown, depth = 0): Caused[] {
  if (typeof error !== 'object' || error === null || depth > 8) return [];
  const caused: Caused = error;
  const several: unknown[] = Array.isArray(caused.errors) ? caused.errors : [];
  return [caused, ...[caused.cause, ...several].flatMap((one) => chainOf(one, depth + 1))];
}

function isUnsent({ code, syscall, message, socket }: Caused): boolean {
  const name = typeof code === 'string' ? code : '';
  if (unsent.includes(name) || tls.test(name) || syscall === 'connect' || syscall === 'getaddrinfo') return true;
  if (typeof message === 'string' && words.test(message)) return true;
  return typeof socket === 'object' && socket !== null && (socket as { bytesWritten?: unknown }).bytesWritten === 0;
}

/** Whether a request that failed never reached a server, so that it cannot have cost anything. */
export const neverSent = (error: unknown): boolean => chainOf(error).some(isUnsent);

/** What the system says of it, behind the client's `Connection error.`; empty = nothing. */
export function causeWords(error: unknown): string {
  const causes = chainOf(error).slice(1);
  const named = causes.findLast(({ code }) => typeof code === 'string') ?? causes.at(-1);
  const said = [named?.message, named?.code].find((text) => typeof text === 'string' && text !== '');
  return typeof said === 'string' ? said : '';
}
