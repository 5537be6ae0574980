import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { answerRows, readInput } from './batch-rows.ts';
import type { InputError, InputRow, NotDone } from './batch-rows.ts';
import type { Teaching } from './chat.ts';
import type { Files } from './files.ts';
import { readJson, send, sendError } from './http.ts';
import type { BatchFaultKind } from './settings.ts';
import { uniform } from './teaching.ts';

const CreateBatch = z.object({
  input_file_id: z.string(),
  endpoint: z.literal('/v1/chat/completions'),
  completion_window: z.literal('24h'),
  metadata: z.record(z.string(), z.string()).nullish(),
});

type Ended = {
  status: 'completed' | 'expired' | 'cancelled';
  at: number;
  output: string | null;
  error: string | null;
};

type Batch = {
  id: string;
  asked: z.infer<typeof CreateBatch>;
  rows: InputRow[];
  errors: InputError[];
  createdAt: number;
  /** Expires instead of completing, with about half of its rows done. */
  expires: boolean;
  /** Set when somebody cancelled it: what was done by then stays. */
  cancelledAt: number | null;
  ended: Ended | null;
  counts: { total: number; completed: number; failed: number };
};

const refusals: Record<'full' | 'invalid', InputError> = {
  full: {
    code: 'token_limit_exceeded',
    message: 'Enqueued token limit reached. Please try again once some in_progress batches have been completed.',
    param: null,
    line: null,
  },
  invalid: { code: 'invalid_request', message: 'Told to refuse this batch.', param: null, line: 1 },
};

/** `/v1/batches`, in the shapes of the OpenAI Batch API. Nothing runs: what a batch has come to is worked out when asked. */
export function createBatches(files: Files, teaching: Teaching, now = () => Date.now()) {
  const batches = new Map<string, Batch>();
  const { batchMs, batchFaults, batchAnswerMs, batchCancelMs } = teaching.settings;

  async function create(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const parsed = CreateBatch.safeParse(await readJson(request));
    const text = parsed.success ? files.textOf(parsed.data.input_file_id) : undefined;
    if (!parsed.success || text === undefined) {
      const why = parsed.success ? `no file ${parsed.data.input_file_id}` : z.prettifyError(parsed.error);
      sendError(response, 400, why, 'invalid_request_error');
      return;
    }
    const id = `batch_simulated_${batches.size + 1}`;
    const { rows, errors } = readInput(text, parsed.data.endpoint);
    const drawn = (kind: BatchFaultKind): boolean => uniform(`${kind}:${id}`) < (batchFaults[kind] ?? 0);
    for (const kind of ['full', 'invalid'] as const) if (drawn(kind)) errors.push(refusals[kind]);
    const counts = { total: rows.length, completed: 0, failed: 0 };
    const more = { createdAt: now(), expires: drawn('expired'), cancelledAt: null, ended: null, counts };
    const batch: Batch = { id, asked: parsed.data, rows, errors, ...more };
    batches.set(id, batch);
    if (batchAnswerMs > 0) await delay(batchAnswerMs);
    send(response, 200, described(batch));
  }

  const endAs = (batch: Batch, status: Ended['status'], done: number): void => {
    end(batch, { status, done, at: now() }, files, teaching);
  };

  /** Brings a batch to where it must be by now. */
  function settle(batch: Batch): Batch {
    const share = batchMs === 0 ? 1 : Math.min(1, ((batch.cancelledAt ?? now()) - batch.createdAt) / batchMs);
    const most = Math.floor(batch.rows.length * (batch.expires ? 0.5 : 1));
    const done = Math.min(most, Math.floor(batch.rows.length * share));
    if (batch.ended !== null || batch.errors.length > 0) return batch;
    if (batch.cancelledAt !== null) {
      if (now() - batch.cancelledAt >= batchCancelMs) endAs(batch, 'cancelled', done);
    } else if (share === 1) endAs(batch, batch.expires ? 'expired' : 'completed', done);
    else batch.counts = { ...batch.counts, completed: done };
    return batch;
  }

  return {
    /** Answers what is a route of batches; false when it is none. */
    async serve(route: string, request: IncomingMessage, response: ServerResponse): Promise<boolean> {
      if (route === 'POST /v1/batches') {
        await create(request, response);
        return true;
      }
      if (route === 'GET /v1/batches') {
        const page = pageOf([...batches.values()].reverse(), request);
        send(response, 200, { ...page, data: page.data.map((batch) => described(settle(batch))) });
        return true;
      }
      const [, method, id, action] = /^(GET|POST) \/v1\/batches\/([^/]+)(\/cancel)?$/.exec(route) ?? [];
      if (id === undefined || (method === 'POST') !== (action !== undefined)) return false;
      const batch = batches.get(id);
      if (batch === undefined) sendError(response, 404, `no batch ${id}`);
      else {
        // What ended before cannot be cancelled any more.
        if (action !== undefined && settle(batch).ended === null) batch.cancelledAt ??= now();
        send(response, 200, described(settle(batch)));
      }
      return true;
    },
  };
}

/** What a request asks of a list: `limit` of them, from behind the one with the id `after`. */
function pageOf(all: Batch[], request: IncomingMessage) {
  const asked = new URL(request.url ?? '', 'http://simulated').searchParams;
  const start = all.findIndex(({ id }) => id === asked.get('after')) + 1;
  const end = start + Number(asked.get('limit') ?? 20);
  return { object: 'list', data: all.slice(start, end), has_more: end < all.length };
}

/** Answers what was done, says of the rest why not, and forgets the input. */
function end(
  batch: Batch,
  { status, done, at }: { status: Ended['status']; done: number; at: number },
  files: Files,
  teaching: Teaching,
): void {
  const notDone: NotDone = status === 'cancelled' ? 'batch_cancelled' : 'batch_expired';
  const { output, error } = answerRows(batch.id, batch.rows, { done, notDone }, teaching);
  const file = (name: string, lines: string[]): string | null =>
    lines.length === 0 ? null : files.add(`${batch.id}_${name}.jsonl`, 'batch_output', `${lines.join('\n')}\n`).id;
  batch.counts = { total: batch.rows.length, completed: output.length, failed: error.length };
  batch.ended = { status, at, output: file('output', output), error: file('error', error) };
  batch.rows = [];
}

const seconds = (ms: number): number => Math.floor(ms / 1000);

function described({ id, asked, errors, createdAt, ended, counts, cancelledAt }: Batch) {
  const at = ended === null ? null : seconds(ended.at);
  const failed = errors.length > 0;
  return {
    id,
    object: 'batch',
    ...asked,
    metadata: asked.metadata ?? null,
    errors: failed ? { object: 'list', data: errors } : null,
    status: failed ? 'failed' : (ended?.status ?? (cancelledAt === null ? 'in_progress' : 'cancelling')),
    output_file_id: ended?.output ?? null,
    error_file_id: ended?.error ?? null,
    created_at: seconds(createdAt),
    in_progress_at: failed ? null : seconds(createdAt),
    expires_at: seconds(createdAt) + 24 * 3600,
    failed_at: failed ? seconds(createdAt) : null,
    completed_at: ended?.status === 'completed' ? at : null,
    expired_at: ended?.status === 'expired' ? at : null,
    cancelling_at: cancelledAt === null ? null : seconds(cancelledAt),
    cancelled_at: ended?.status === 'cancelled' ? at : null,
    request_counts: counts,
  };
}
