import { z } from 'zod';
import { costUsd } from '../../../domain/prices.ts';
import type { TokenPrice } from '../../../domain/prices.ts';
import type { TeacherRequest } from '../requests.ts';
import { readCompletion } from '../response-store.ts';
import type { StoredResponse } from '../response-store.ts';
import { faultOfStatus } from '../teacher-failure.ts';
import type { CallFault } from '../teacher-failure.ts';
import type { RowFault } from './collected.ts';

/** Where the requests of a batch go, as its lines and its creation say it. */
export const endpoint = '/v1/chat/completions';

/** A line of an input file. Its id is the digest: 64 characters, the most that OpenAI takes. */
export const inputLine = ({ digest, body }: Pick<TeacherRequest, 'digest' | 'body'>) => ({
  custom_id: digest,
  method: 'POST',
  url: endpoint,
  body,
});
export type InputLine = ReturnType<typeof inputLine>;

/** A line of an output or error file: an answer with its HTTP status, or why there is none. */
const OutputLine = z.object({
  custom_id: z.string(),
  response: z.object({ status_code: z.number(), body: z.unknown() }).nullish(),
  error: z.object({ code: z.string().nullish(), message: z.string().nullish() }).nullish(),
});

const ErrorBody = z.object({
  error: z.object({ message: z.string().default(''), code: z.string().nullish() }).prefault({}),
});

/** What a line says of a request; `rejection` is what no request can get past (an unknown model, an empty account). */
export type ReadLine = { digest: string; paidUsd: number } & (
  | { response: Omit<StoredResponse, 'paidBy'> }
  | { fault: RowFault; rejection?: Extract<CallFault, { kind: 'rejected' }> }
);

/** Ids with which requests come back that were not begun before their batch ended. */
const notDone: readonly string[] = ['batch_expired', 'batch_cancelled'];

/**
 * Reads a line of an output or error file; null where it is about nothing that was sent.
 *
 * @param sent most tokens of each request, by digest
 */
export function readLine(
  text: string,
  sent: ReadonlyMap<string, { input: number; output: number }>,
  price: TokenPrice,
): ReadLine | null {
  const line = OutputLine.safeParse(jsonOf(text));
  const most = line.success ? sent.get(line.data.custom_id) : undefined;
  if (!line.success || most === undefined) return null;
  const { custom_id: digest, response, error } = line.data;
  if (!response) {
    const message = error?.message ?? 'the batch has no answer to it';
    const problem = notDone.includes(error?.code ?? '') ? 'timeout' : 'server-error';
    return { digest, paidUsd: 0, fault: { problem, message, again: true } };
  }
  if (response.status_code === 200) {
    const read = readCompletion(response.body, price, most);
    if (read.kind === 'completion') return { digest, paidUsd: read.response.costUsd, response: read.response };
    // It was generated, so it counts as the most that it can cost.
    return {
      digest,
      paidUsd: costUsd(most, price),
      fault: { problem: 'malformed', message: read.message, again: true },
    };
  }
  const body = ErrorBody.safeParse(response.body);
  const { message, code } = body.success ? body.data.error : { message: '', code: null };
  const words = `${response.status_code} ${message}`.trim().slice(0, 500);
  const fault = faultOfStatus(response.status_code, code ?? '', words);
  if (fault.kind !== 'rejected') {
    return { digest, paidUsd: 0, fault: { problem: fault.reason, message: words, again: fault.kind === 'transient' } };
  }
  return { digest, paidUsd: 0, fault: { problem: 'bad-request', message: words, again: true }, rejection: fault };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
