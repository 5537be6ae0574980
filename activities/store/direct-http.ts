import { connect } from 'node:net';
import type { Socket } from 'node:net';

/** Milliseconds until a server that says nothing counts as unreachable: at the start, and at any time later. */
export type Limits = { connectMs: number; idleMs: number };

export type DirectResponse = { statusCode: number; headers: Record<string, string> };

/** `body` is what goes up after the head: read until the answer comes. */
type Request = { hostname: string; port: number; head: string; body?: Uint8Array };
type Exchange = {
  into: Uint8Array;
  /** Something goes up, so that the head of a success is the whole answer. */
  isUpload: boolean;
  /** What came before the body; null once the body is being read. */
  head: Buffer | null;
  response: DirectResponse;
  bytes: number;
  filled: number;
  /** Heads that only said to go on. */
  interim: number;
  resolve: (response: DirectResponse | null) => void;
  reject: (error: Error) => void;
};

const HEAD_BYTES = 64 * 1024;
const IDLE_CONNECTIONS = 16;
const MOST_INTERIM = 16;
const END_OF_HEAD = '\r\n\r\n';

export type DirectHttp = ReturnType<typeof createDirectHttp>;

/**
 * One request over plain HTTP; the kernel writes the answer's body to where it is wanted. Node's own HTTP client spends eight times the
 * CPU on it (`docs/measurements.md`), because every 64 KiB become an object. It knows one kind of answer to what is fetched, a plain
 * success of known length, and any success of what goes up: to ask again would do twice what was done. For any other answer `ask`
 * resolves to null and somebody else must ask again.
 */
export function createDirectHttp(limits: Limits) {
  const idle = new Map<string, Connection[]>();

  const ask = async ({ hostname, port, head, body }: Request, into: Uint8Array): Promise<DirectResponse | null> => {
    const place = `${hostname}:${port}`;
    const resting = idle.get(place) ?? [];
    idle.set(place, resting);
    const connection = resting.pop() ?? openConnection(hostname, port, limits);
    const response = await connection.exchange(head, body, into);
    if (response === null || response.headers['connection'] === 'close' || resting.length >= IDLE_CONNECTIONS) {
      connection.close();
    } else {
      resting.push(connection);
      connection.rest(() => void resting.splice(resting.indexOf(connection), 1));
    }
    return response;
  };

  const destroy = (): void => {
    for (const connection of [...idle.values()].flat()) connection.close();
  };
  return { ask, destroy };
}

type Connection = {
  exchange: (head: string, body: Uint8Array | undefined, into: Uint8Array) => Promise<DirectResponse | null>;
  /** Keeps it for the next exchange without keeping the process alive; `onLost` when the server ends it meanwhile. */
  rest: (onLost: () => void) => void;
  close: () => void;
};

function openConnection(host: string, port: number, { connectMs, idleMs }: Limits): Connection {
  const scratch = Buffer.alloc(HEAD_BYTES);
  let current: Exchange | null = null;
  let lost = (): void => undefined;

  const socket: Socket = connect({
    host,
    port,
    noDelay: true,
    onread: {
      // Never more than the body still lacks: what follows it belongs to the next exchange.
      buffer: () => (current?.head === null ? current.into.subarray(current.filled, current.bytes) : scratch),
      callback: (count: number) => {
        if (current === null) socket.destroy();
        else {
          if (current.head === null) current.filled += count;
          else readHead(current, scratch.subarray(0, count));
          if (isOver(current)) settle(null);
        }
        return true;
      },
    },
  });

  const settle = (error: Error | null): void => {
    const over = current;
    current = null;
    if (error) over?.reject(error);
    else over?.resolve(over.bytes < 0 ? null : over.response);
  };
  const fail = (error: Error): void => {
    socket.destroy();
    lost();
    lost = () => undefined;
    settle(error);
  };
  socket.setTimeout(connectMs);
  socket.once('connect', () => socket.setTimeout(idleMs));
  socket.on('timeout', () => {
    fail(Object.assign(new Error(`no answer from ${host}:${port}`), { name: 'TimeoutError', code: 'ETIMEDOUT' }));
  });
  socket.on('error', fail);
  socket.on('close', () => {
    fail(endedBy(host));
  });

  return {
    exchange: (head, body, into) => {
      lost = () => undefined;
      socket.ref();
      return new Promise((resolve, reject) => {
        const isUpload = body !== undefined;
        current = { ...nothingYet(), into, isUpload, resolve, reject };
        if (socket.destroyed) fail(endedBy(host));
        else send(socket, head, body);
      });
    },
    rest: (onLost) => {
      lost = onLost;
      socket.unref();
    },
    close: () => socket.destroy(),
  };
}

const nothingYet = () => ({
  head: Buffer.alloc(0),
  response: { statusCode: 0, headers: {} },
  bytes: 0,
  filled: 0,
  interim: 0,
});

/** In one call to the system. */
function send(socket: Socket, head: string, body: Uint8Array | undefined): void {
  socket.cork();
  socket.write(head, 'latin1');
  if (body) socket.write(body);
  socket.uncork();
}

/** The SDK repeats what failed with this code. */
const endedBy = (host: string): Error =>
  Object.assign(new Error(`${host} ended the connection`), { code: 'ECONNRESET' });

const isOver = ({ head, bytes, filled }: Exchange): boolean => bytes < 0 || (head === null && filled === bytes);

/** Takes what may be a part of the head, or all of it and the beginning of the body. `bytes` below 0: not for us. */
function readHead(exchange: Exchange, chunk: Buffer): void {
  const text = exchange.head?.length ? Buffer.concat([exchange.head, chunk]) : chunk;
  const end = text.indexOf(END_OF_HEAD);
  if (end < 0) {
    // The chunk's memory is the next chunk's too.
    exchange.head = Buffer.from(text);
    if (text.length > HEAD_BYTES) exchange.bytes = -1;
    return;
  }
  const [status = '', ...lines] = text.toString('latin1', 0, end).split('\r\n');
  const { response } = exchange;
  response.statusCode = Number(status.split(' ')[1]);
  const body = text.subarray(end + END_OF_HEAD.length);
  if (response.statusCode >= 100 && response.statusCode < 200) {
    exchange.interim += 1;
    exchange.head = Buffer.alloc(0);
    if (exchange.interim > MOST_INTERIM || response.statusCode === 101) exchange.bytes = -1;
    else readHead(exchange, body);
    return;
  }
  for (const line of lines) {
    const colon = line.indexOf(':');
    response.headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
  }
  if (exchange.isUpload) endUpload(exchange, body.length);
  else beginBody(exchange, body);
}

/** Whatever may follow the head of a success is nobody's concern: the connection goes with it. */
function endUpload(exchange: Exchange, followed: number): void {
  const { statusCode, headers } = exchange.response;
  const isSuccess = statusCode >= 200 && statusCode < 300;
  exchange.bytes = isSuccess ? 0 : -1;
  if (!isSuccess) return;
  exchange.head = null;
  if (followed > 0 || (statusCode !== 204 && headers['content-length'] !== '0')) headers['connection'] = 'close';
}

function beginBody(exchange: Exchange, body: Buffer): void {
  const { statusCode, headers } = exchange.response;
  const bytes = Number(headers['content-length'] ?? NaN);
  const isPlain = (statusCode === 200 || statusCode === 206) && headers['content-encoding'] === undefined;
  exchange.bytes = isPlain && bytes <= exchange.into.length && body.length <= bytes ? bytes : -1;
  if (exchange.bytes < 0) return;
  exchange.head = null;
  exchange.into.set(body);
  exchange.filled = body.length;
}
