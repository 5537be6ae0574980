import { Context } from '@temporalio/activity';
import { teacherPrice } from '../../config/check-recipe.ts';
import { Reliability } from '../../config/reliability.ts';
import type { Surroundings } from '../../config/environment.ts';
import { responseReport } from '../../domain/filtering.ts';
import { costUsd, priceOf } from '../../domain/prices.ts';
import type { TokenPrice } from '../../domain/prices.ts';
import type { Draft, Question } from '../../domain/records.ts';
import type { ApiActivities, Scope } from '../contract.ts';
import { failure } from '../failure.ts';
import type { Store } from '../store/store.ts';
import type { Stage } from './answer.ts';
import { askAll } from './ask-all.ts';
import { connectTeacher, describeServer } from './connect.ts';
import type { TeacherConnection } from './connect.ts';
import { atTheCap, openBooks, unansweredBefore } from './books.ts';
import type { Books } from './books.ts';
import { findKnown, listStored } from './known-responses.ts';
import { createPaces } from './paces.ts';
import { teacherRequests } from './requests.ts';
import type { TeacherRequest } from './requests.ts';
import { teacherName, tellFacts } from './simulated.ts';
import { faultOf, teacherFailure } from './teacher-failure.ts';
import { openJournal } from './journal.ts';
import { trackProgress } from './progress.ts';
import { createWindow } from './window.ts';

/** Needs nothing but the artefacts and the teacher's address and key. */
export type TeacherDeps = { store: Store; openai: Surroundings['openai'] };

const folderOf = ({ run, phase, attempt }: Scope): string => `runs/${run}/${phase}-${attempt}`;

/**
 * Asks the teacher every question `attempts` times. A response is stored under the digest of its request before it is
 * used, so whoever asks again (a retry, another run) pays only for what is missing; at most the calls in flight at a
 * kill are paid twice.
 *
 * @throws TeacherRejected (key, model, quota), BudgetExceeded: permanent; TeacherUnavailable: retryable, answers kept
 */
export const createAskTeacher = ({ store, openai }: TeacherDeps): ApiActivities['askTeacher'] => {
  const paceOf = createPaces(store);
  return async ({ scope, budget, recipe, questions: questionsRef, drafts: draftsRef, attempts }) => {
    const signal = Context.current().cancellationSignal;
    const { teacher } = recipe;
    const connection = connectTeacher(openai, teacher);
    const folder = folderOf(scope);
    const [{ questions, simulated }, drafts, stored, unansweredUsd] = await Promise.all([
      store.rows<Question>(questionsRef).then((rows) => begin(connection, rows, signal)),
      store.rows<Draft>(draftsRef),
      listStored(store, questionsRef.rows * attempts),
      unansweredBefore(store, folder),
    ]);
    const requests = teacherRequests(recipe, questions, drafts, attempts, { simulated, official: connection.official });
    const price = priceOf(teacher.model, simulated ? 'free' : teacherPrice(teacher));
    if (price === null) throw failure('InvalidRecipe', `teacher.price: no price is known for ${teacher.model}`);
    const payer = `${scope.run}/${scope.phase}-${scope.attempt}`;
    const journal = await openJournal(store, payer, stored);
    const { pace, leave } = await paceOf(connection, teacher);
    const { maxTokens, concurrency, maxRetries } = teacher;
    let books: Books | null = null;
    const progress = trackProgress(requests.length, () => books?.money() ?? {});
    let finished = false;
    try {
      const known = await findKnown(store, requests, stored);
      // What this stage paid before it was lost counts against the cap like what it pays now.
      const answeredUsd = known.reduce((sum, one) => sum + (one?.paidBy === payer ? one.costUsd : 0), 0);
      const room = budget ?? { capUsd: recipe.budget.capUsd, spentUsd: 0 };
      const { ledger, unanswered, paidUsd } = (books = openBooks(store, folder, room, { answeredUsd, unansweredUsd }));
      const { outageMinutes } = Reliability.parse(recipe.reliability);
      const line = { connection, window: createWindow(concurrency), pace, signal };
      const how = { store, line, simulated, price, maxTokens, journal, payer, outageMinutes };
      const stage: Stage = { ...how, ledger, unanswered };
      const limits = { concurrency, maxRetries, advance: progress.advance };
      const answered = await askAll(stage, requests, known, limits).catch((error: unknown) => {
        throw atTheCap(error, paidUsd(), dearestUsd(requests, maxTokens, price), requests.length - progress.done());
      });
      finished = true;
      const rows = answered.map(({ response }) => response);
      const responses = await store.putRows(`${folder}/responses.jsonl`, rows);
      const names = new Set(answered.flatMap(({ model }) => (model === null ? [] : [model])));
      return {
        responses,
        report: responseReport(rows),
        costUsd: paidUsd(),
        calls: rows.filter((row) => !row.reused && row.class !== 'failed').length,
        reused: rows.filter((row) => row.reused).length,
        teacher: names.size === 0 ? teacherName(teacher.model, simulated) : [...names].sort().join(', '),
      };
    } finally {
      await books?.keep();
      await journal.close(finished);
      await leave();
      progress.end();
    }
  };
};

/** The most that any of the calls can cost. */
const dearestUsd = (requests: readonly TeacherRequest[], output: number, price: TokenPrice): number =>
  costUsd({ input: Math.max(0, ...requests.map(({ mostInputTokens }) => mostInputTokens)), output }, price);

/** Checks key and server; tells the simulated teacher its facts. */
async function begin(connection: TeacherConnection, questions: readonly Question[], signal: AbortSignal) {
  try {
    const server = await describeServer(connection, signal);
    if (server.simulated) await tellFacts(connection, questions, signal);
    return { questions, simulated: server.simulated };
  } catch (error) {
    throw await endOf(error, connection, signal);
  }
}

/** The failure that an error before the first call ends the activity with. */
async function endOf(error: unknown, connection: TeacherConnection, signal: AbortSignal): Promise<Error> {
  if (signal.aborted) await Context.current().cancelled;
  return teacherFailure(faultOf(error, connection), connection);
}
