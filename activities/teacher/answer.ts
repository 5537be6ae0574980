import { setImmediate } from 'node:timers/promises';
import { costUsd } from '../../domain/prices.ts';
import type { TokenPrice } from '../../domain/prices.ts';
import type { ResponseProblem } from '../../domain/records.ts';
import type { Store } from '../store/store.ts';
import { call } from './call.ts';
import type { Called, Line } from './call.ts';
import type { Journal } from './journal.ts';
import type { Ledger } from './ledger.ts';
import type { ApiRequest } from './requests.ts';
import { keepPaid, readCompletion } from './response-store.ts';
import type { ReadCompletion, StoredResponse } from './response-store.ts';
import { teacherName } from './simulated.ts';
import type { CallFault } from './teacher-failure.ts';

/** The rows that a stage makes of its requests. */
export type Reading<Request, Row> = {
  /** @param payer scope that asks: what another one paid is reused */
  answered(request: Request, stored: StoredResponse, payer: string): Row;
  /** For a request that was not answered and will not be: kept with its error, never dropped. */
  failed(request: Request, error: string, problem: ResponseProblem): Row;
};

/** A stage in progress: everything that a single call needs. */
export type Stage<Request, Row> = {
  store: Store;
  line: Line;
  simulated: boolean;
  price: TokenPrice;
  maxTokens: number;
  ledger: Ledger;
  /** Told what a call without an answer may have cost. */
  unanswered: (usd: number) => void;
  journal: Journal;
  /** Scope that pays, as in {@link StoredResponse.paidBy}. */
  payer: string;
  /** See `reliability.outageMinutes`. */
  outageMinutes: number;
  reading: Reading<Request, Row>;
};

/** A response with the name of the model that gave it; null where none did. */
export type Answered<Row> = { response: Row; model: string | null };

/** A request that was not answered this time; `order` is its place in the order of sending. */
export type Unanswered = { fault: CallFault; order: number };

/** The answer that is stored already. */
export const reuse = <Request, Row>(
  stage: Stage<Request, Row>,
  request: Request,
  stored: StoredResponse,
): Answered<Row> => ({
  response: stage.reading.answered(request, stored, stage.payer),
  model: teacherName(stored.model, stage.simulated),
});

/**
 * One try at one answer: reserved, asked, paid, stored, and only then used.
 *
 * @param answered told the order of a request that came back whole, before it is stored
 * @throws BudgetExceeded, failures of the store, the client's abort error when cancelled
 */
export async function ask<Request extends ApiRequest, Row>(
  stage: Stage<Request, Row>,
  request: Request,
  answered: (order: number) => void,
): Promise<Answered<Row> | Unanswered> {
  const { store, line, price, ledger, payer, maxTokens, outageMinutes } = stage;
  const most = { input: request.mostInputTokens, output: maxTokens };
  const worstUsd = costUsd(most, price);
  await ledger.reserve(worstUsd);
  let paidUsd = 0;
  try {
    const called = await call(line, request);
    const read = readAnswer(called, price, most);
    if (read.kind === 'completion') {
      paidUsd = read.response.costUsd;
      const response = { ...read.response, paidBy: payer };
      stage.journal.write(request.digest, response);
      answered(called.order);
      // The room that it left is filled first: signing a request to the store keeps the process busy for a millisecond.
      await setImmediate();
      const kept = await keepPaid(store, request.digest, response, outageMinutes);
      return reuse(stage, request, kept);
    }
    // Of what may have been generated, the most that it can cost counts: the cap holds whatever the bill says.
    if (read.fault.kind === 'transient' && read.fault.perhapsPaid) {
      paidUsd = worstUsd;
      stage.unanswered(worstUsd);
    }
    return { fault: read.fault, order: called.order };
  } finally {
    ledger.settle(worstUsd, paidUsd);
  }
}

function readAnswer(
  called: Called,
  price: TokenPrice,
  most: { input: number; output: number },
): Extract<ReadCompletion, { kind: 'completion' }> | { kind: 'fault'; fault: CallFault } {
  if ('fault' in called) return { kind: 'fault', fault: called.fault };
  const read = readCompletion(called.completion, price, most);
  if (read.kind === 'completion') return read;
  const passing = { kind: 'transient', retryAfterMs: null, again: true, perhapsPaid: true } as const;
  return { kind: 'fault', fault: { ...passing, reason: 'malformed', message: read.message } };
}
