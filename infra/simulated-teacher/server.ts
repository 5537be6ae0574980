import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import type { Question } from '../../domain/records.ts';
import { ChatRequest, complete, requestDigest, servedName } from './completion.ts';
import { faultKinds } from './settings.ts';
import type { FaultKind, TeacherSettings } from './settings.ts';
import { uniform } from './teaching.ts';

/**
 * The only place where anything is simulated: a teacher over the OpenAI protocol that knows exactly the facts that it
 * was told (`POST /v1/simulated/questions`, rows of domain/records.ts) and errs as the request's `metadata` says. It
 * says what it is in `/v1/models` (`owned_by: ratchet-simulated`) and in the model name of every answer.
 */

const Questions = z.object({
  questions: z.array(
    z.object({
      id: z.string(),
      question: z.string().min(1),
      answer: z.enum(['yes', 'no']),
      facts: z.array(z.string()),
      decomposition: z.array(z.string()),
    }),
  ),
});

const mostBodyBytes = 256 * 1024 * 1024;

/** What it has done since it started; `paidTwice` = whole answers to a request that had been answered before. */
export type TeacherStats = { requests: number; answered: number; paidTwice: number; faults: Record<string, number> };

type State = {
  known: Map<string, Question>;
  times: Map<string, number>;
  answered: Map<string, number>;
  stats: TeacherStats;
};

/** @returns a server that does not listen yet */
export function createSimulatedTeacher(settings: Omit<TeacherSettings, 'port' | 'host'>): Server {
  const state: State = {
    known: new Map(),
    times: new Map(),
    answered: new Map(),
    stats: { requests: 0, answered: 0, paidTwice: 0, faults: {} },
  };
  return createServer((request, response) => {
    handle(request, response, settings, state).catch((error: unknown) => {
      sendError(response, 500, error instanceof Error ? error.message : String(error));
    });
  });
}

async function handle(
  request: IncomingMessage,
  response: ServerResponse,
  settings: Omit<TeacherSettings, 'port' | 'host'>,
  state: State,
): Promise<void> {
  const route = `${request.method ?? ''} ${(request.url ?? '').split('?')[0]?.replace(/\/$/, '') ?? ''}`;
  if (settings.key !== undefined && request.headers.authorization !== `Bearer ${settings.key}`) {
    sendError(response, 401, 'Incorrect API key provided.', 'invalid_api_key');
  } else if (route === 'GET /v1/models') {
    send(response, 200, { object: 'list', data: [modelOf('simulated-teacher')] });
  } else if (route.startsWith('GET /v1/models/')) {
    send(response, 200, modelOf(decodeURIComponent(route.slice('GET /v1/models/'.length))));
  } else if (route === 'POST /v1/simulated/questions') {
    const { questions } = Questions.parse(await readJson(request));
    for (const question of questions) state.known.set(question.question.trim(), question);
    send(response, 200, { known: state.known.size });
  } else if (route === 'GET /v1/simulated/stats') {
    send(response, 200, state.stats);
  } else if (route === 'POST /v1/chat/completions') {
    await chat(request, response, settings, state);
  } else {
    sendError(response, 404, `The simulated teacher has no ${route}.`);
  }
}

async function chat(
  request: IncomingMessage,
  response: ServerResponse,
  { latencyMs, faults }: Omit<TeacherSettings, 'port' | 'host'>,
  { known, times, answered, stats }: State,
): Promise<void> {
  const parsed = ChatRequest.safeParse(await readJson(request));
  if (!parsed.success) {
    sendError(response, 400, z.prettifyError(parsed.error), 'invalid_request_error');
    return;
  }
  const digest = requestDigest(parsed.data);
  const time = (times.get(digest) ?? 0) + 1;
  times.set(digest, time);
  stats.requests += 1;
  if (latencyMs > 0) await delay(latencyMs);
  const fault = drawFault(faults, digest, time);
  if (fault !== null) stats.faults[fault] = (stats.faults[fault] ?? 0) + 1;
  if (fault !== null && fault !== 'refusal') {
    misbehave(response, fault);
    return;
  }
  const completion = complete(parsed.data, known, fault === 'refusal');
  if (completion === null) {
    // The caller must tell the facts (again: this process may have been restarted), so the client's retries are in vain.
    response.setHeader('x-should-retry', 'false');
    sendError(response, 503, 'The simulated teacher has no facts about this question: POST /v1/simulated/questions.');
    return;
  }
  stats.answered += 1;
  if (answered.has(digest)) stats.paidTwice += 1;
  answered.set(digest, time);
  send(response, 200, completion);
}

/** Which fault the n-th try of a request meets: a hash, so every client meets the same weather. */
function drawFault(faults: TeacherSettings['faults'], digest: string, time: number): FaultKind | null {
  for (const kind of faultKinds) {
    const share = faults[kind] ?? 0;
    // A refusal belongs to what is asked, not to the try.
    if (share > 0 && uniform(`${kind}:${digest}:${kind === 'refusal' ? 0 : time}`) < share) return kind;
  }
  return null;
}

function misbehave(response: ServerResponse, fault: Exclude<FaultKind, 'refusal'>): void {
  if (fault === 'drop') response.socket?.destroy();
  else if (fault === 'malformed') {
    response.writeHead(200, { 'content-type': 'application/json' }).end('{"id":"simulated-cut","choices":[{"mess');
  } else {
    if (fault === '429') response.setHeader('retry-after-ms', '50');
    sendError(response, Number(fault), fault === '429' ? 'Rate limit reached.' : 'The server had an error.');
  }
}

const modelOf = (model: string) => ({
  id: servedName(model),
  object: 'model',
  created: 0,
  owned_by: 'ratchet-simulated',
});

function send(response: ServerResponse, status: number, body: unknown): void {
  if (response.headersSent) return;
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

const sendError = (response: ServerResponse, status: number, message: string, code: string | null = null): void => {
  send(response, status, { error: { message, type: 'simulated', param: null, code } });
};

async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > mostBodyBytes) throw new Error(`a body of more than ${mostBodyBytes} bytes`);
    chunks.push(chunk);
  }
  return JSON.parse(Buffer.concat(chunks).toString('utf8')) as unknown;
}
