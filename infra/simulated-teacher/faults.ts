import type { ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { sendError } from './http.ts';
import { faultKinds } from './settings.ts';
import type { FaultKind, ServerSettings } from './settings.ts';
import { uniform } from './teaching.ts';

/** Faults of an answer that is there: the rest keep the caller from having one. */
const answering = ['refusal', 'truncation', 'slow'] as const;
export type AnsweringFault = (typeof answering)[number];
export type SpoilingFault = Exclude<FaultKind, AnsweringFault>;

export const isSpoiling = (fault: FaultKind): fault is SpoilingFault => !answering.some((kind) => kind === fault);

/** Which fault the n-th try of a request meets: a hash, so every client meets the same weather. */
export function drawFault(faults: ServerSettings['faults'], digest: string, time: number): FaultKind | null {
  for (const kind of faultKinds) {
    const share = faults[kind] ?? 0;
    // A refusal or a cut answer belongs to what is asked, not to the try.
    const draw = kind === 'refusal' || kind === 'truncation' ? 0 : time;
    if (share > 0 && uniform(`${kind}:${digest}:${draw}`) < share) return kind;
  }
  return null;
}

/** Spoils an answer. A malformed one was generated, and would be billed. */
export function spoil(response: ServerResponse, fault: SpoilingFault): void {
  if (fault === 'drop') response.socket?.destroy();
  else if (fault === 'malformed') {
    response.writeHead(200, { 'content-type': 'application/json' }).end('{"id":"simulated-cut","choices":[{"mess');
  } else {
    if (fault === '429') response.setHeader('retry-after-ms', '50');
    sendError(response, Number(fault), fault === '429' ? 'Rate limit reached.' : 'The server had an error.');
  }
}

const drops = 8;

/** A whole answer in drops, over so many milliseconds. */
export async function trickle(response: ServerResponse, body: unknown, slowMs: number): Promise<void> {
  const text = JSON.stringify(body);
  response.writeHead(200, { 'content-type': 'application/json' });
  for (let drop = 0; drop < drops; drop += 1) {
    if (response.destroyed) return;
    response.write(
      text.slice(Math.floor((drop * text.length) / drops), Math.floor(((drop + 1) * text.length) / drops)),
    );
    await delay(slowMs / drops);
  }
  response.end();
}
