import { Context } from '@temporalio/activity';
import { Reliability } from '../../config/reliability.ts';
import type { Recipe } from '../../config/recipe.ts';
import { roomOf } from '../../domain/budget.ts';
import type { BudgetNews, BudgetRoom } from '../../domain/budget.ts';
import { costUsd } from '../../domain/prices.ts';
import type { TokenPrice } from '../../domain/prices.ts';
import { failureType } from '../failure.ts';
import type { NewShelf, Shelf } from '../store/shelf.ts';
import type { Store } from '../store/store.ts';
import { reuse } from './answer.ts';
import type { Answered, Reading, Stage } from './answer.ts';
import { askAll } from './ask-all.ts';
import { atTheCap, openBooks, withCost } from './books.ts';
import type { Before, Books } from './books.ts';
import type { Collected } from './batches/collected.ts';
import type { TeacherConnection } from './connect.ts';
import { openJournal } from './journal.ts';
import { findKnown } from './known-responses.ts';
import type { StoredDigests } from './known-responses.ts';
import type { PaceOf } from './paces.ts';
import type { Progress } from './progress.ts';
import { mostInputTokensOf } from './requests.ts';
import type { ApiRequest, Requests } from './requests.ts';
import { createWindow } from './window.ts';

/** A stage of paid calls before it begins. */
export type StageInput<Request, Row> = {
  requests: Requests<Request>;
  reading: Reading<Request, Row>;
  recipe: Pick<Recipe, 'budget' | 'reliability'>;
  settings: Pick<
    Recipe['teacher'],
    'model' | 'maxTokens' | 'concurrency' | 'maxRetries' | 'requestsPerMinute' | 'tokensPerMinute'
  >;
  connection: TeacherConnection;
  simulated: boolean;
  /** The simulated server knows its facts: to be awaited before the first call. */
  told: Promise<void>;
  price: TokenPrice;
  /** Scope that pays: a stage that is asked again finds what it has paid by it. */
  payer: string;
  stored: Promise<StoredDigests>;
  /** In the bucket; of the stage alone. */
  folder: string;
  /** What there is to spend; absent in runs of older versions. */
  budget: BudgetRoom | undefined;
  before: Before;
  /** What the stage has paid, as the budget gate counts it. */
  costOf: (paidUsd: number) => BudgetNews['cost'];
  /** What a watcher sees. */
  progress: Progress;
  /** What batches of the stage came to. */
  collected?: Collected;
  /** How a request ends that has no answer and is not to be asked; null = it is asked. */
  settle?: (request: Request) => Answered<Row> | null;
};

/**
 * Asks every request that is not answered yet, at the provider's pace, under the cap, paid once: each answer is stored
 * under the digest of its request before it is used. Rows wait on a shelf, so that memory does not grow with the stage.
 *
 * @returns rows in order of the requests, as long as the shelf is there; `paidUsd` by this stage, attempts before this one
 *   included
 * @throws as {@link askAll}
 */
export async function askStage<Request extends ApiRequest, Row>(
  store: Store,
  paceOf: PaceOf,
  newShelf: NewShelf,
  {
    reading,
    recipe,
    settings,
    connection,
    requests,
    simulated,
    price,
    payer,
    progress,
    ...input
  }: StageInput<Request, Row>,
): Promise<{ answered: Iterable<Answered<Row>>; paidUsd: number }> {
  const journal = await openJournal(store, payer, input.stored);
  const { pace, leave } = await paceOf(connection, settings);
  let [books, finished] = [null as Books | null, false];
  try {
    const known = await findKnown(store, newShelf, requests, { ...input, payer });
    await input.told;
    const room = roomOf(recipe, input.budget);
    books = openBooks(store, input.folder, room, { ...input.before, answeredUsd: known.paidUsd });
    const { ledger, unanswered, paidUsd } = books;
    progress.tell(books.money);
    const { maxTokens, concurrency, maxRetries } = settings;
    const window = createWindow(concurrency);
    const line = { connection, window, pace, signal: Context.current().cancellationSignal };
    const { outageMinutes } = Reliability.parse(recipe.reliability);
    const stage: Stage<Request, Row> = {
      ...{ store, line, simulated, price, maxTokens, ledger, unanswered, journal },
      ...{ payer, outageMinutes, reading, wasted: input.before.wasted },
    };
    const answered = newShelf<number, Answered<Row>>();
    const rows = {
      settled: async (request: Request, index: number) => {
        const response = await known.responseTo(request, index);
        return response ? reuse(stage, request, response) : (input.settle?.(request) ?? null);
      },
      keep: (index: number, row: Answered<Row>) => {
        answered.put(index, row);
        progress.advance();
      },
    };
    await askAll(stage, requests, rows, { concurrency, maxRetries }).catch(async (error: unknown) => {
      const cost = input.costOf(paidUsd());
      if (!(error instanceof Error && failureType(error) === 'BudgetExceeded')) throw withCost(error, cost);
      const nextUsd = costUsd({ input: await mostInputTokensOf(requests), output: maxTokens }, price);
      throw atTheCap(error, { cost, nextUsd, restUsd: nextUsd * (requests.count - progress.done()) });
    });
    finished = true;
    return { answered: inOrder(answered, requests.count), paidUsd: paidUsd() };
  } finally {
    await Promise.all([books?.keep(), input.before.wasted.keep()]);
    await journal.close(finished);
    await leave();
  }
}

/** A shelf with a row for each of its first numbers. */
function* inOrder<Row>(shelf: Shelf<number, Row>, count: number): Generator<Row> {
  for (let index = 0; index < count; index += 1) {
    const row = shelf.get(index);
    if (row === undefined) throw new Error(`Request ${index} was neither answered nor failed.`);
    yield row;
  }
}
