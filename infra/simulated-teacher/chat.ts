import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import type { Question } from '../../domain/records.ts';
import { ChatRequest, askedTokens, complete, requestDigest } from './completion.ts';
import type { Counters } from './counters.ts';
import { drawFault, isSpoiling, spoil, trickle } from './faults.ts';
import { readJson, send, sendError } from './http.ts';
import type { Limits } from './limits.ts';
import type { FaultKind, ServerSettings } from './settings.ts';
import { uniform } from './teaching.ts';

/** What answers to chat requests depend on. */
export type Teaching = {
  settings: ServerSettings;
  known: Map<string, Question>;
  counters: Counters;
  limits: Limits;
};

/** `POST /v1/chat/completions`. */
export async function chat(request: IncomingMessage, response: ServerResponse, teaching: Teaching): Promise<void> {
  const cameAt = performance.now();
  const parsed = ChatRequest.safeParse(await readJson(request));
  if (!parsed.success) {
    sendError(response, 400, z.prettifyError(parsed.error), 'invalid_request_error');
    return;
  }
  const { settings, counters, limits } = teaching;
  const digest = requestDigest(parsed.data);
  const time = counters.came(digest);
  try {
    if (!limits.admit(response, askedTokens(parsed.data))) {
      counters.limited();
      sendError(response, 429, 'Rate limit reached for the simulated teacher.', 'rate_limit_exceeded');
      return;
    }
    const waitMs = latencyMs(settings, digest, time) - (performance.now() - cameAt);
    if (waitMs >= 1) await delay(waitMs);
    const fault = drawFault(settings.faults, digest, time);
    if (fault !== null) counters.fault(fault);
    await answer(response, teaching, { request: parsed.data, digest, fault });
  } finally {
    counters.left();
  }
}

async function answer(
  response: ServerResponse,
  { settings, known, counters }: Teaching,
  { request, digest, fault }: { request: ChatRequest; digest: string; fault: FaultKind | null },
): Promise<void> {
  if (fault !== null && isSpoiling(fault)) {
    spoil(response, fault);
    return;
  }
  const ending = { refuse: fault === 'refusal', truncate: fault === 'truncation', generic: settings.generic };
  const completion = complete(request, digest, known, ending);
  if (completion === null) {
    // The caller must tell the facts (again: this process may have been restarted), so the client's retries are in vain.
    response.setHeader('x-should-retry', 'false');
    sendError(response, 503, 'The simulated teacher has no facts about this question: POST /v1/simulated/questions.');
    return;
  }
  counters.answered(digest);
  if (fault === 'slow') await trickle(response, completion, settings.slowMs);
  else send(response, 200, completion);
}

/** By a hash of the request and its try, even around the mean. */
const latencyMs = ({ latencyMs: mean, latencySpread }: ServerSettings, digest: string, time: number): number =>
  mean === 0 ? 0 : mean * (1 + latencySpread * (2 * uniform(`latency:${digest}:${time}`) - 1));
