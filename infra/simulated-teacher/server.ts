import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { z } from 'zod';
import { createBatches } from './batches.ts';
import { chat } from './chat.ts';
import type { Teaching } from './chat.ts';
import { servedName } from './completion.ts';
import { createCounters } from './counters.ts';
import { createFiles } from './files.ts';
import { readJson, send, sendError } from './http.ts';
import { createLimits } from './limits.ts';
import type { ServerSettings } from './settings.ts';
import { isFromWebPage } from './web-page.ts';

/**
 * The only place where anything is simulated: a teacher over the OpenAI protocol that knows exactly the facts that it
 * was told (`POST /v1/simulated/questions`, rows of domain/records.ts) and errs as the request's `metadata` says. It
 * says what it is in `/v1/models` (`owned_by: ratchet-simulated`) and in the model name of every answer. As a judge it
 * compares two sets of clarifying questions (judging.ts). Chat completions, files and batches; limits, latency and
 * faults as its settings say; `GET /v1/simulated/stats` counts, `GET /v1/simulated/digests` by request.
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

/** @returns a server that does not listen yet */
export function createSimulatedTeacher(settings: ServerSettings): Server {
  const limits = createLimits(settings);
  const teaching: Teaching = { settings, known: new Map(), counters: createCounters(), limits };
  const files = createFiles();
  const batches = createBatches(files, teaching);

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const route = `${request.method ?? ''} ${(request.url ?? '').split('?')[0]?.replace(/\/$/, '') ?? ''}`;
    if (isFromWebPage(request)) {
      sendError(response, 403, 'The simulated teacher does not answer web pages.');
    } else if (settings.key !== undefined && request.headers.authorization !== `Bearer ${settings.key}`) {
      sendError(response, 401, 'Incorrect API key provided.', 'invalid_api_key');
    } else if (route === 'POST /v1/chat/completions') {
      await chat(request, response, teaching);
    } else if (
      !(await files.serve(route, request, response)) &&
      !(await batches.serve(route, request, response)) &&
      !(await serveRest(route, request, response, teaching))
    ) {
      sendError(response, 404, `The simulated teacher has no ${route}.`);
    }
  }

  return createServer((request, response) => {
    handle(request, response).catch((error: unknown) => {
      sendError(response, 500, error instanceof Error ? error.message : String(error));
    });
  });
}

/** Models, facts and counters; false when the route is none of them. */
async function serveRest(
  route: string,
  request: IncomingMessage,
  response: ServerResponse,
  { known, counters, settings }: Teaching,
): Promise<boolean> {
  const modelOf = (model: string) => ({
    id: servedName(model),
    object: 'model',
    created: 0,
    owned_by: settings.generic ? 'ratchet-simulated-generic' : 'ratchet-simulated',
  });
  if (route === 'GET /v1/models') {
    send(response, 200, { object: 'list', data: ['simulated-teacher', 'simulated-judge'].map(modelOf) });
  } else if (route.startsWith('GET /v1/models/')) {
    send(response, 200, modelOf(decodeURIComponent(route.slice('GET /v1/models/'.length))));
  } else if (route === 'POST /v1/simulated/questions') {
    const { questions } = Questions.parse(await readJson(request));
    for (const question of questions) known.set(question.question.trim(), question);
    send(response, 200, { known: known.size });
  } else if (route === 'GET /v1/simulated/stats') {
    send(response, 200, counters.stats());
  } else if (route === 'GET /v1/simulated/digests') {
    send(response, 200, counters.digests());
  } else return false;
  return true;
}
