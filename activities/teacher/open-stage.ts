import { teacherPrice } from '../../config/check-recipe.ts';
import type { ModelServers } from '../../config/keys.ts';
import { priceOf } from '../../domain/prices.ts';
import { draftText } from '../../domain/parse-draft.ts';
import type { TokenPrice } from '../../domain/prices.ts';
import type { Draft, Question } from '../../domain/records.ts';
import type { AskInput } from '../contract.ts';
import { failure } from '../failure.ts';
import { folderOf, payerOf } from '../scope.ts';
import { forLater } from '../store/parallel.ts';
import type { NewShelf, Shelf } from '../store/shelf.ts';
import type { Store } from '../store/store.ts';
import { lookBack } from './books.ts';
import type { Before } from './books.ts';
import { connectTeacher } from './connect.ts';
import type { TeacherConnection } from './connect.ts';
import { greetServer } from './greet-server.ts';
import { listStored } from './known-responses.ts';
import type { StoredDigests } from './known-responses.ts';
import type { PaceOf } from './paces.ts';
import { teacherRequests } from './requests.ts';
import type { Requests, TeacherRequest } from './requests.ts';

/** Needs nothing but the artefacts, and the addresses and keys of servers. */
export type TeacherDeps = { store: Store; openai: ModelServers; paceOf: PaceOf };

/** What a stage asks, of whom, and what it may cost, however it is asked. */
export type OpenStage = {
  connection: TeacherConnection;
  simulated: boolean;
  /** As {@link greetServer} says it. */
  told: Promise<void>;
  requests: Requests<TeacherRequest>;
  stored: Promise<StoredDigests>;
  /** Of a live call. */
  price: TokenPrice;
  /** Scope that pays, as in StoredResponse.paidBy. */
  payer: string;
  /** In the bucket; of the stage alone. */
  folder: string;
  before: Before;
};

/**
 * Looks whether the server is there, and says what is to be asked.
 *
 * @throws TeacherRejected, CredentialsRefused, InvalidRecipe, InvalidData: permanent; TeacherUnavailable: retryable. Walking
 *   through the requests throws InvalidData where a question has no draft
 */
export async function openStage(
  { store, openai }: TeacherDeps,
  newShelf: NewShelf,
  input: AskInput,
): Promise<OpenStage> {
  const { scope, recipe, attempts } = input;
  const { teacher } = recipe;
  if (input.drafts.rows < input.questions.rows) {
    const { drafts, questions } = input;
    throw failure('InvalidData', `${drafts.uri} has ${drafts.rows} drafts for ${questions.rows} questions`);
  }
  const connection = connectTeacher(openai, teacher);
  const folder = folderOf(scope);
  const count = input.questions.rows * attempts;
  const fetched = forLater(Promise.all([store.fetch(input.questions), store.fetch(input.drafts)]));
  const questions = async function* () {
    await fetched;
    yield* store.readRows<Question>(input.questions);
  };
  const stored = listStored(store, count);
  const [{ simulated, told }, before] = await Promise.all([
    greetServer(connection, questions()),
    lookBack(store, folder),
  ]);
  const server = { simulated, official: connection.official, server: connection.server };
  const each = async function* () {
    const drafts = readBeside(store.readRows<Draft>(input.drafts), newShelf());
    try {
      yield* teacherRequests(recipe, questions(), drafts.textOf, attempts, server);
    } finally {
      await drafts.close();
    }
  };
  const price = priceOf(teacher.model, simulated ? 'free' : teacherPrice(teacher));
  if (price === null) throw failure('InvalidRecipe', `teacher.price: no price is known for ${teacher.model}`);
  const requests = { count, each };
  return { connection, simulated, told, requests, stored, price, payer: payerOf(scope), folder, before };
}

/**
 * Drafts that are read as their questions come. Usually both have one order; a draft that comes before its question waits on
 * the shelf.
 */
function readBeside(drafts: AsyncGenerator<Draft>, early: Shelf<string, string>) {
  return {
    /** Undefined = the question has no draft. Each can be taken once. */
    textOf: async (id: string): Promise<string | undefined> => {
      if (early.has(id)) return early.get(id);
      for (let next = await drafts.next(); !next.done; next = await drafts.next()) {
        const text = draftText(next.value);
        if (next.value.id === id) return text;
        early.put(next.value.id, text);
      }
      return undefined;
    },
    close: () => drafts.return(undefined),
  };
}
