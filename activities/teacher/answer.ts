import { setImmediate } from 'node:timers/promises';
import { costUsd } from '../../domain/prices.ts';
import type { TokenPrice } from '../../domain/prices.ts';
import type { ResponseProblem } from '../../domain/records.ts';
import type { Store } from '../store/store.ts';
import { call } from './call.ts';
import type { Line } from './call.ts';
import type { Journal } from './journal.ts';
import type { Ledger } from './ledger.ts';
import type { ApiRequest } from './requests.ts';
import { keepPaid } from './response-store.ts';
import type { StoredResponse } from './response-store.ts';
import { teacherName } from './simulated.ts';
import type { CallFault } from './teacher-failure.ts';
import type { WastedAnswers } from './wasted-answers.ts';

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
  /** Told what a call without an answer has cost, or may have. */
  unanswered: (usd: number) => void;
  wasted: WastedAnswers;
  journal: Journal;
  /** Scope that pays, as in {@link StoredResponse.paidBy}. */
  payer: string;
  /** See `reliability.outageMinutes`. */
  outageMinutes: number;
  reading: Reading<Request, Row>;
};

/** A response with the name of the model that gave it; null where none did. `completionId` as in StoredResponse. */
export type Answered<Row> = { response: Row; model: string | null; completionId?: string | undefined };

/** A request that was not answered this time; `order` is its place in the order of sending, `came` as in ReadCompletion. */
export type Unanswered = { fault: CallFault; order: number; came: boolean };

/** The answer that is stored already. */
export const reuse = <Request, Row>(
  stage: Stage<Request, Row>,
  request: Request,
  stored: StoredResponse,
): Answered<Row> => ({
  response: stage.reading.answered(request, stored, stage.payer),
  model: teacherName(stored.model, stage.simulated),
  completionId: stored.completionId,
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
    const called = await call(line, request, { price, most });
    if (called.kind === 'completion') {
      paidUsd = called.response.costUsd;
      const response = { ...called.response, paidBy: payer };
      stage.journal.write(request.digest, response);
      answered(called.order);
      // The room that it left is filled first: signing a request to the store keeps the process busy for a millisecond.
      await setImmediate();
      const kept = await keepPaid(store, request.digest, response, outageMinutes);
      return reuse(stage, request, kept);
    }
    const { fault, order, came } = called;
    paidUsd = called.paidUsd;
    if (paidUsd > 0) stage.unanswered(paidUsd);
    return { fault, order, came };
  } finally {
    ledger.settle(worstUsd, paidUsd);
  }
}
