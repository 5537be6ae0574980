import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import { z } from 'zod';
import { teacherPrice } from '../../config/check-recipe.ts';
import type { Surroundings } from '../../config/environment.ts';
import { priceOf } from '../../domain/prices.ts';
import type { TokenPrice } from '../../domain/prices.ts';
import type { Draft, Question } from '../../domain/records.ts';
import type { AskInput, Scope } from '../contract.ts';
import { failure } from '../failure.ts';
import type { Store } from '../store/store.ts';
import { connectTeacher, describeServer } from './connect.ts';
import type { TeacherConnection } from './connect.ts';
import { listStored } from './known-responses.ts';
import type { StoredDigests } from './known-responses.ts';
import { teacherRequests } from './requests.ts';
import type { TeacherRequest } from './requests.ts';
import { tellFacts } from './simulated.ts';
import { faultOf, teacherFailure } from './teacher-failure.ts';

/** Needs nothing but the artefacts and the teacher's address and key. */
export type TeacherDeps = { store: Store; openai: Surroundings['openai'] };

/** What a stage asks, of whom, and what it may cost, however it is asked. */
export type OpenStage = {
  connection: TeacherConnection;
  simulated: boolean;
  requests: TeacherRequest[];
  stored: StoredDigests;
  /** Of a live call. */
  price: TokenPrice;
  /** Scope that pays, as in StoredResponse.paidBy. */
  payer: string;
  /** What earlier stages of the run have paid. */
  beforeUsd: number;
};

const Spent = z.object({ teacherUsd: z.number().min(0) });

/** Where a stage keeps its artefacts. */
export const folderOf = ({ run, phase, attempt }: Scope): string => `runs/${run}/${phase}-${attempt}`;

/** Name under which a stage pays. */
export const payerOf = ({ run, phase, attempt }: Scope): string => `${run}/${phase}-${attempt}`;

/**
 * Checks key and server, reads questions and drafts, and says what is to be asked.
 *
 * @throws TeacherRejected, CredentialsRefused, InvalidRecipe, InvalidData: permanent; TeacherUnavailable: retryable
 */
export async function openStage({ store, openai }: TeacherDeps, input: AskInput): Promise<OpenStage> {
  const { scope, recipe, attempts } = input;
  const { teacher } = recipe;
  const connection = connectTeacher(openai, teacher);
  const [{ questions, simulated }, drafts, stored, beforeUsd] = await Promise.all([
    store.rows<Question>(input.questions).then((rows) => begin(connection, rows)),
    store.rows<Draft>(input.drafts),
    listStored(store, input.questions.rows * attempts),
    spentBefore(store, scope),
  ]);
  const requests = teacherRequests(recipe, questions, drafts, attempts, { simulated, official: connection.official });
  const price = priceOf(teacher.model, simulated ? 'free' : teacherPrice(teacher));
  if (price === null) throw failure('InvalidRecipe', `teacher.price: no price is known for ${teacher.model}`);
  return { connection, simulated, requests, stored, price, payer: payerOf(scope), beforeUsd };
}

/** Checks key and server; tells the simulated teacher its facts. */
const begin = (connection: TeacherConnection, questions: readonly Question[]) =>
  orFailure(connection, async (signal) => {
    const server = await describeServer(connection, signal);
    if (server.simulated) await tellFacts(connection, questions, signal);
    return { questions, simulated: server.simulated };
  });

/** What the earlier stages of the run have paid: each leaves it beside its responses. */
async function spentBefore(store: Store, scope: Scope): Promise<number> {
  let spent = 0;
  for (let attempt = 1; attempt < scope.attempt; attempt += 1) {
    const found = await store.getJson(`${folderOf({ ...scope, attempt })}/spent.json`);
    if (found !== null) spent += Spent.parse(found.value).teacherUsd;
  }
  return spent;
}

/**
 * Work with the teacher's server that is no completion: its errors come out as failures with a name.
 *
 * @param work gets the signal that aborts when the activity is cancelled
 * @throws TeacherRejected, TeacherUnavailable; the cancellation
 */
export async function orFailure<Result>(
  connection: TeacherConnection,
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  try {
    return await work(Context.current().cancellationSignal);
  } catch (error) {
    throw await endOf(error, connection);
  }
}

/** What an error of the client ends an activity with; a failure that has a name passes through. @throws the cancellation */
export async function endOf(error: unknown, connection: TeacherConnection): Promise<Error> {
  const context = Context.current();
  if (context.cancellationSignal.aborted) await context.cancelled;
  return error instanceof ApplicationFailure ? error : teacherFailure(faultOf(error, connection), connection);
}
