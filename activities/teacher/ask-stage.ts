import { Context } from '@temporalio/activity';
import { Reliability } from '../../config/reliability.ts';
import type { Recipe } from '../../config/recipe.ts';
import type { BudgetNews, BudgetRoom } from '../../domain/budget.ts';
import { costUsd } from '../../domain/prices.ts';
import type { TokenPrice } from '../../domain/prices.ts';
import type { Store } from '../store/store.ts';
import { reuse } from './answer.ts';
import type { Answered, Reading, Stage } from './answer.ts';
import { askAll } from './ask-all.ts';
import { atTheCap, openBooks } from './books.ts';
import type { Books } from './books.ts';
import type { Collected } from './batches/collected.ts';
import type { TeacherConnection } from './connect.ts';
import { openJournal } from './journal.ts';
import { findKnown } from './known-responses.ts';
import type { StoredDigests } from './known-responses.ts';
import type { PaceOf } from './paces.ts';
import { trackProgress } from './progress.ts';
import type { ApiRequest } from './requests.ts';
import { createWindow } from './window.ts';

/** A stage of paid calls before it begins. */
export type StageInput<Request, Row> = {
  requests: readonly Request[];
  reading: Reading<Request, Row>;
  recipe: Pick<Recipe, 'budget' | 'reliability'>;
  settings: Pick<
    Recipe['teacher'],
    'model' | 'maxTokens' | 'concurrency' | 'maxRetries' | 'requestsPerMinute' | 'tokensPerMinute'
  >;
  connection: TeacherConnection;
  simulated: boolean;
  price: TokenPrice;
  /** Scope that pays: a stage that is asked again finds what it has paid by it. */
  payer: string;
  stored: StoredDigests;
  /** In the bucket; of the stage alone. */
  folder: string;
  /** What there is to spend; absent in runs of older versions. */
  budget: BudgetRoom | undefined;
  /** As {@link unansweredBefore} says. */
  unansweredUsd: number;
  /** What the stage has paid, as the budget gate counts it. */
  costOf: (paidUsd: number) => BudgetNews['cost'];
  /** What a watcher sees. */
  label: string;
  /** What batches of the stage came to. */
  collected?: Collected;
  /** How a request ends that has no answer and is not to be asked; null = it is asked. */
  settle?: (request: Request) => Answered<Row> | null;
};

/**
 * Asks every request that is not answered yet, at the provider's pace, under the cap, paid once: each answer is stored
 * under the digest of its request before it is used. Heartbeats while it goes on.
 *
 * @returns rows in order of the requests; `paidUsd` by this stage, attempts before this one included
 * @throws as {@link askAll}
 */
export async function askStage<Request extends ApiRequest, Row>(
  store: Store,
  paceOf: PaceOf,
  {
    requests,
    reading,
    recipe,
    settings,
    connection,
    simulated,
    price,
    payer,
    stored,
    ...input
  }: StageInput<Request, Row>,
): Promise<{ answered: Answered<Row>[]; paidUsd: number }> {
  const signal = Context.current().cancellationSignal;
  const journal = await openJournal(store, payer, stored);
  const { pace, leave } = await paceOf(connection, settings);
  let books: Books | null = null;
  const progress = trackProgress(requests.length, input.label, () => books?.money() ?? {});
  let finished = false;
  try {
    const { collected } = input;
    const { responses: known, paidUsd: answeredUsd } = await findKnown(store, requests, { stored, collected, payer });
    const room = input.budget ?? { capUsd: recipe.budget.capUsd, spentUsd: 0 };
    const before = { answeredUsd, unansweredUsd: input.unansweredUsd };
    const { ledger, unanswered, paidUsd } = (books = openBooks(store, input.folder, room, before));
    const { maxTokens, concurrency, maxRetries } = settings;
    const { outageMinutes } = Reliability.parse(recipe.reliability);
    const line = { connection, window: createWindow(concurrency), pace, signal };
    const stage: Stage<Request, Row> = {
      ...{ store, line, simulated, price, maxTokens, ledger, unanswered, journal, payer, outageMinutes, reading },
    };
    const settled = requests.map((request, index) => {
      const response = known[index];
      return response ? reuse(stage, request, response) : (input.settle?.(request) ?? null);
    });
    const limits = { concurrency, maxRetries, advance: progress.advance };
    const answered = await askAll(stage, requests, settled, limits).catch((error: unknown) => {
      const callsLeft = requests.length - progress.done();
      const nextUsd = dearestUsd(requests, maxTokens, price);
      throw atTheCap(error, { cost: input.costOf(paidUsd()), nextUsd, restUsd: nextUsd * callsLeft });
    });
    finished = true;
    return { answered, paidUsd: paidUsd() };
  } finally {
    await books?.keep();
    await journal.close(finished);
    await leave();
    progress.end();
  }
}

/** The most that any of the calls can cost. */
const dearestUsd = (requests: readonly ApiRequest[], output: number, price: TokenPrice): number =>
  costUsd({ input: requests.reduce((most, { mostInputTokens }) => Math.max(most, mostInputTokens), 0), output }, price);
