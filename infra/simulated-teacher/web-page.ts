import type { IncomingMessage } from 'node:http';

const loopback = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/;

/**
 * True for what a web page of somebody else could have a browser send: a client of ratchet names no origin. On loopback
 * also for a name that is not this machine's own, because a page's name can be made to lead here (DNS rebinding).
 */
export function isFromWebPage({ headers, socket }: IncomingMessage): boolean {
  if (headers.origin !== undefined || headers['sec-fetch-site'] !== undefined) return true;
  const isLocal = loopback.test((socket.localAddress ?? '').replace('::ffff:', '')) || socket.localAddress === '::1';
  return isLocal && !loopback.test((headers.host ?? 'localhost').replace(/:\d+$/, ''));
}
