import { z } from 'zod';
import type { TokenPrice } from '../../../domain/prices.ts';
import { errorIn } from '../error-body.ts';
import { readCompletion } from '../read-completion.ts';
import type { TeacherRequest } from '../requests.ts';
import type { StoredResponse } from '../response-store.ts';
import { faultOfStatus, outOfCredit } from '../teacher-failure.ts';
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
  error: z.unknown().optional(),
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
    const { code, message } = errorIn({ error }) ?? { code: '', message: 'the batch has no answer to it' };
    const empty = outOfCredit(200, code, message);
    if (empty !== null) return faultLine(digest, empty, 0);
    const problem = notDone.includes(code) ? 'timeout' : 'server-error';
    return { digest, paidUsd: 0, fault: { problem, message, again: true } };
  }
  if (response.status_code === 200) {
    const read = readCompletion(response.body, { price, most });
    if (read.kind === 'completion') return { digest, paidUsd: read.response.costUsd, response: read.response };
    return faultLine(digest, read.fault, read.paidUsd);
  }
  const said = errorIn(response.body);
  const words = `${response.status_code} ${said?.message ?? ''}`.trim().slice(0, 500);
  return faultLine(digest, faultOfStatus(response.status_code, said?.code ?? '', words), 0);
}

/** What no request can get past is not this one's fault: it may be sent again when that is mended. */
function faultLine(digest: string, fault: CallFault, paidUsd: number): ReadLine {
  const { message } = fault;
  if (fault.kind === 'rejected') {
    return { digest, paidUsd, fault: { problem: 'bad-request', message, again: true }, rejection: fault };
  }
  return { digest, paidUsd, fault: { problem: fault.reason, message, again: fault.kind === 'transient' } };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
