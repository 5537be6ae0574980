import { teacherPrice } from '../../config/check-recipe.ts';
import type { Surroundings } from '../../config/environment.ts';
import { priceOf } from '../../domain/prices.ts';
import { draftText } from '../../domain/parse-draft.ts';
import type { TokenPrice } from '../../domain/prices.ts';
import type { ArtefactRef, Draft, Question } from '../../domain/records.ts';
import type { AskInput } from '../contract.ts';
import { failure } from '../failure.ts';
import { folderOf, payerOf } from '../scope.ts';
import type { NewShelf } from '../store/shelf.ts';
import type { Store } from '../store/store.ts';
import { unansweredBefore } from './books.ts';
import { connectTeacher } from './connect.ts';
import type { TeacherConnection } from './connect.ts';
import { greetServer } from './greet-server.ts';
import { listStored } from './known-responses.ts';
import type { StoredDigests } from './known-responses.ts';
import type { PaceOf } from './paces.ts';
import { madeOnce, teacherRequests } from './requests.ts';
import type { Requests, TeacherRequest } from './requests.ts';

/** Needs nothing but the artefacts and the teacher's address and key. */
export type TeacherDeps = { store: Store; openai: Surroundings['openai']; paceOf: PaceOf };

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
  /** As {@link unansweredBefore} says. */
  unansweredUsd: number;
};

/**
 * Checks key and server, reads the drafts, and says what is to be asked.
 *
 * @throws TeacherRejected, CredentialsRefused, InvalidRecipe: permanent; TeacherUnavailable: retryable. Walking through the
 *   requests throws InvalidData where a question has no draft
 */
export async function openStage(
  { store, openai }: TeacherDeps,
  newShelf: NewShelf,
  input: AskInput,
): Promise<OpenStage> {
  const { scope, recipe, attempts } = input;
  const { teacher } = recipe;
  const connection = connectTeacher(openai, teacher);
  const folder = folderOf(scope);
  const count = input.questions.rows * attempts;
  const questions = madeOnce({ count, each: () => store.readRows<Question>(input.questions) });
  const stored = listStored(store, count);
  const [{ simulated, told }, drafts, unansweredUsd] = await Promise.all([
    greetServer(connection, questions.each()),
    readDrafts(store, newShelf, input.drafts),
    unansweredBefore(store, folder),
  ]);
  const server = { simulated, official: connection.official };
  const each = () => teacherRequests(recipe, questions.each(), (id) => drafts.get(id), attempts, server);
  const price = priceOf(teacher.model, simulated ? 'free' : teacherPrice(teacher));
  if (price === null) throw failure('InvalidRecipe', `teacher.price: no price is known for ${teacher.model}`);
  const requests = { count, each };
  return { connection, simulated, told, requests, stored, price, payer: payerOf(scope), folder, unansweredUsd };
}

/** Texts by id of their question. */
async function readDrafts(store: Store, newShelf: NewShelf, drafts: ArtefactRef) {
  const texts = newShelf<string, string>();
  for await (const draft of store.readRows<Draft>(drafts)) texts.put(draft.id, draftText(draft));
  return texts;
}
