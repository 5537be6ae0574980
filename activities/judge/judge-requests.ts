import type { Judge } from '../../config/judge.ts';
import type { PairToJudge } from '../../domain/calibration.ts';
import { canonicalJson } from '../../domain/canonical.ts';
import { judgeMessages, parseVerdict, verdictSchema } from '../../domain/judge-prompt.ts';
import type { JudgeTemplates } from '../../domain/judge-prompt.ts';
import type { Judgement } from '../../domain/judging.ts';
import type { Reading } from '../teacher/answer.ts';
import { problemOf } from '../teacher/classify.ts';
import { apiRequest } from '../teacher/requests.ts';
import type { ApiRequest, RequestServer } from '../teacher/requests.ts';
import { sha256 } from '../store/files.ts';

/** One pair shown to the judge in one order. */
export type JudgeRequest = ApiRequest & { afterFirst: boolean };

/** What the server can do, and what the simulated judge is told of how to err. */
export type JudgeServer = RequestServer & { seed: number };

/** Whether the model is held to the JSON Schema of a verdict. */
export const isStructured = (
  judge: Judge,
  { simulated, official }: Pick<JudgeServer, 'simulated' | 'official'>,
): boolean => judge.structuredOutput ?? (simulated || official);

/**
 * A pair's requests: both orders, or, where the recipe asks for one, an order by a hash of the pair, so that neither
 * side is first more often.
 */
export function judgeRequests(
  judge: Judge,
  templates: JudgeTemplates,
  pair: PairToJudge,
  server: JudgeServer,
): JudgeRequest[] {
  const hash = sha256(canonicalJson([pair.question, pair.before, pair.after]));
  const orders = judge.bothOrders ? [false, true] : [Number.parseInt(hash.slice(0, 2), 16) % 2 === 0];
  return orders.map((afterFirst) => {
    const [first, second] = afterFirst ? [pair.after, pair.before] : [pair.before, pair.after];
    const prompt = judgeMessages(templates, { question: pair.question, first, second });
    const metadata = server.simulated ? { metadata: simulatedErrors(judge, server.seed) } : {};
    const format = isStructured(judge, server)
      ? { response_format: { type: 'json_schema' as const, json_schema: verdictSchema } }
      : {};
    return { afterFirst, ...apiRequest(judge, prompt, { ...metadata, ...format }, 0, server) };
  });
}

/** `metadata` of requests to the simulated judge. Part of the request, hence of its digest. */
const simulatedErrors = ({ simulated }: Judge, seed: number): Record<string, string> => ({
  task: 'judge',
  seed: String(seed),
  position_bias: String(simulated?.positionBias ?? 0),
  length_bias: String(simulated?.lengthBias ?? 0),
  error_rate: String(simulated?.errorRate ?? 0),
});

/** So much of an answer that cannot be read is kept. */
const keptCharacters = 500;

/** Answers as judgements; what names no verdict is one without, and says why. */
export const judgeReading: Reading<JudgeRequest, Judgement> = {
  answered({ afterFirst, digest }, stored, payer) {
    const { text, refusal, inputTokens, outputTokens } = stored;
    const reused = stored.paidBy !== payer;
    const told = { afterFirst, requestDigest: digest, inputTokens, outputTokens };
    const paid = { costUsd: reused ? 0 : stored.costUsd, reused };
    const parsed = refusal === null ? parseVerdict(text) : null;
    if (parsed !== null) return { ...told, ...parsed, ...paid };
    const error = (refusal ?? text).slice(0, keptCharacters);
    return { ...told, said: null, reason: '', ...paid, problem: problemOf(stored) ?? 'unreadable', error };
  },
  failed: ({ afterFirst, digest }, error, problem) => ({
    ...{ afterFirst, said: null, reason: '', requestDigest: digest },
    ...{ inputTokens: 0, outputTokens: 0, costUsd: 0, reused: false, problem, error },
  }),
};
