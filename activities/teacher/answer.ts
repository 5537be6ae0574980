import { Context } from '@temporalio/activity';
import type OpenAI from 'openai';
import { costUsd } from '../../domain/prices.ts';
import type { TokenPrice } from '../../domain/prices.ts';
import type { TeacherResponse } from '../../domain/records.ts';
import type { Store } from '../store/store.ts';
import { classified, failedResponse } from './classify.ts';
import type { TeacherConnection } from './connect.ts';
import type { Ledger } from './ledger.ts';
import type { TeacherRequest } from './requests.ts';
import { throughOutage } from '../store/outage.ts';
import { keepResponse, readCompletion } from './response-store.ts';
import type { StoredResponse } from './response-store.ts';
import { teacherName } from './simulated.ts';
import { faultOf } from './teacher-failure.ts';
import type { CallFault } from './teacher-failure.ts';

/** A teacher stage in progress: everything that a single call needs. */
export type Stage = {
  store: Store;
  connection: TeacherConnection;
  simulated: boolean;
  price: TokenPrice;
  maxTokens: number;
  ledger: Ledger;
  /** Scope that pays, as in {@link StoredResponse.paidBy}. */
  payer: string;
  signal: AbortSignal;
  /** See `reliability.outageMinutes`. */
  outageMinutes: number;
};

/** A response with the name of the model that gave it; null where none did. */
export type Answered = { response: TeacherResponse; model: string | null };

/** A call's outcome: a response to keep, a fault of this one request, or a fault for the caller to weigh. */
type Outcome = StoredResponse | { failed: string } | CallFault;

/**
 * One answer: the stored one, else from the server, then reserved, paid, stored, and only then used.
 *
 * @throws BudgetExceeded, failures of the store, the client's abort error when cancelled
 */
export async function answer(
  stage: Stage,
  request: TeacherRequest,
  known: StoredResponse | null,
): Promise<Answered | CallFault> {
  const outcome = known ?? (await pay(stage, request));
  if ('kind' in outcome) return outcome;
  if ('failed' in outcome) return { response: failedResponse(request, outcome.failed), model: null };
  return { response: classified(request, outcome, stage.payer), model: teacherName(outcome.model, stage.simulated) };
}

async function pay(stage: Stage, request: TeacherRequest): Promise<Outcome> {
  const { store, price, ledger, payer, maxTokens, outageMinutes: minutes } = stage;
  const most = { input: request.mostInputTokens, output: maxTokens };
  const worstUsd = costUsd(most, price);
  await ledger.reserve(worstUsd);
  let paidUsd = 0;
  try {
    const called = await call(stage, request);
    if ('kind' in called) return called.kind === 'row' ? { failed: called.message } : called;
    const read = readCompletion(called, price, most);
    // Whatever it was, it was answered, and so it may have been charged.
    paidUsd = read.kind === 'malformed' ? worstUsd : read.response.costUsd;
    if (read.kind === 'malformed') return { failed: read.message };
    const paid = { ...read.response, paidBy: payer };
    return await throughOutage(() => keepResponse(store, request.digest, paid), {
      ...{ minutes, doing: 'a paid answer' },
      warn: (message, more) => {
        Context.current().log.warn(message, more);
      },
    });
  } finally {
    ledger.settle(worstUsd, paidUsd);
  }
}

async function call(stage: Stage, { body }: TeacherRequest): Promise<OpenAI.ChatCompletion | CallFault> {
  const { connection, signal } = stage;
  try {
    return await connection.client.chat.completions.create(body, { signal });
  } catch (error) {
    if (signal.aborted) throw error;
    return faultOf(error, connection);
  }
}
