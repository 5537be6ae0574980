import { z } from 'zod';
import type { Question } from '../../domain/records.ts';
import { ChatRequest, complete, requestDigest } from './completion.ts';
import type { Counters } from './counters.ts';
import { errorBody } from './http.ts';
import type { ServerSettings } from './settings.ts';
import { uniform } from './teaching.ts';

/** One line of a batch's input file. */
const InputRow = z.object({
  custom_id: z.string().min(1).max(64),
  method: z.literal('POST'),
  url: z.string(),
  body: ChatRequest,
});
export type InputRow = z.infer<typeof InputRow>;

/** What is wrong with an input file, as the batch's `errors` say it. */
export type InputError = { code: string; message: string; param: string | null; line: number | null };

/** OpenAI's limit of one batch. */
const mostRows = 50_000;

/** The rows of an input file, or what is wrong with it; then nothing of it is done. */
export function readInput(text: string, endpoint: string): { rows: InputRow[]; errors: InputError[] } {
  const rows: InputRow[] = [];
  const errors: InputError[] = [];
  const seen = new Set<string>();
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  for (const [index, line] of lines.entries()) {
    const wrong = (code: string, message: string, param: string | null = null) =>
      errors.push({ code, message, param, line: index + 1 });
    const parsed = InputRow.safeParse(jsonOf(line));
    if (!parsed.success) wrong('invalid_json_line', z.prettifyError(parsed.error));
    else if (parsed.data.url !== endpoint) wrong('mismatched_endpoint', `the batch is for ${endpoint}`, 'url');
    else if (seen.has(parsed.data.custom_id)) wrong('duplicate_custom_id', parsed.data.custom_id, 'custom_id');
    else {
      seen.add(parsed.data.custom_id);
      rows.push(parsed.data);
    }
  }
  if (lines.length === 0) errors.push({ code: 'empty_file', message: 'no requests', param: null, line: 0 });
  if (lines.length > mostRows) {
    errors.push({ code: 'too_many_tasks', message: `more than ${mostRows} requests`, param: null, line: mostRows });
  }
  return { rows, errors };
}

function jsonOf(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}

/** Lines of the two files that a batch leaves. */
export type BatchFiles = { output: string[]; error: string[] };

/** How rows end that were not begun when their batch did. */
export type NotDone = 'batch_expired' | 'batch_cancelled';

const notDoneWords: Record<NotDone, string> = {
  batch_expired: 'This request could not be executed before the completion window expired.',
  batch_cancelled: 'This request could not be executed before the batch was cancelled.',
};

const failed = { status: 500, message: 'The server had an error.', code: null };
const filtered = { status: 400, message: 'The content filter refused this.', code: 'content_filter' };
const noFacts = 'The simulated teacher has no facts about this question.';

/** Whether a row fails: this time, by batch and request, or always, by request. */
function faultOf(id: string, digest: string, { batchFaults: { row = 0, filtered: never = 0 } }: ServerSettings) {
  if (uniform(`filtered:${digest}`) < never) return filtered;
  return uniform(`${id}:${digest}`) < row ? failed : null;
}

/** Answers the first `done` rows and says of the others why they were not. Rows fail by a hash of what they ask. */
export function answerRows(
  id: string,
  rows: readonly InputRow[],
  { done, notDone }: { done: number; notDone: NotDone },
  teaching: { settings: ServerSettings; known: ReadonlyMap<string, Question>; counters: Counters },
): BatchFiles {
  const { settings, known, counters } = teaching;
  const files: BatchFiles = { output: [], error: [] };
  for (const [index, { custom_id, body }] of rows.entries()) {
    const line = (response: object | null, error: object | null): string =>
      JSON.stringify({ id: `batch_req_${id}_${index}`, custom_id, response, error });
    const digest = requestDigest(body);
    const wrong = faultOf(id, digest, settings);
    const completion =
      index >= done || wrong !== null
        ? null
        : complete(body, digest, known, { refuse: false, truncate: false, generic: settings.generic });
    if (index >= done) files.error.push(line(null, { code: notDone, message: notDoneWords[notDone] }));
    else if (completion === null) {
      const { status, message, code } = wrong ?? { ...failed, message: noFacts };
      files.error.push(line({ status_code: status, request_id: digest, body: errorBody(message, code) }, null));
    } else {
      counters.came(digest);
      counters.answered(digest);
      counters.left();
      files.output.push(line({ status_code: 200, request_id: digest, body: completion }, null));
    }
  }
  return files;
}
