import { classifyResponse, parseResponse } from '../../domain/parse-response.ts';
import type { ResponseProblem, TeacherResponse } from '../../domain/records.ts';
import type { TeacherRequest } from './requests.ts';
import type { StoredResponse } from './response-store.ts';

const identity = ({ question, attempt, digest, template }: TeacherRequest) => ({
  id: question.id,
  attempt,
  truth: question.answer,
  requestDigest: digest,
  ...(template && { template }),
});

/** A response held against the truth. `payer` is the scope that asks: what another one paid is reused. */
export function classified(request: TeacherRequest, stored: StoredResponse, payer: string): TeacherResponse {
  const { refusal, finish, inputTokens, outputTokens } = stored;
  const text = stored.text.toWellFormed();
  // Kept beside the text, and trained on where the recipe says so.
  const reasoning = stored.reasoning?.toWellFormed();
  const parsed = parseResponse(text);
  const reused = stored.paidBy !== payer;
  const refused = refusal !== null;
  const problem = problemOf(stored);
  return {
    ...identity(request),
    text,
    answer: refused ? null : parsed.answer,
    class: refused
      ? 'refused'
      : classifyResponse(parsed, request.question.answer, finish === 'length' ? 'length' : 'stop'),
    strict: !refused && parsed.strict,
    inputTokens,
    outputTokens,
    costUsd: reused ? 0 : stored.costUsd,
    reused,
    ...(refused && { error: refusal }),
    ...(problem !== null && { problem }),
    ...(reasoning !== undefined && { reasoning }),
    ...((text !== stored.text || reasoning !== stored.reasoning) && { repaired: true as const }),
  };
}

/** What is wrong with a response that came; null = nothing. */
export function problemOf({ refusal, finish }: Pick<StoredResponse, 'refusal' | 'finish'>): ResponseProblem | null {
  if (finish === 'content_filter') return 'content-filter';
  if (refusal !== null) return 'refusal';
  return finish === 'length' ? 'length' : null;
}

/** A request that was not answered and will not be: kept with its error, never dropped. */
export const failedResponse = (request: TeacherRequest, error: string, problem: ResponseProblem): TeacherResponse => ({
  ...identity(request),
  text: '',
  answer: null,
  class: 'failed',
  strict: false,
  inputTokens: 0,
  outputTokens: 0,
  costUsd: 0,
  reused: false,
  error,
  problem,
});
