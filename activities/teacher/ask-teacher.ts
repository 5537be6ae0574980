import { Context } from '@temporalio/activity';
import { z } from 'zod';
import { teacherPrice } from '../../config/check-recipe.ts';
import { Reliability } from '../../config/reliability.ts';
import type { Surroundings } from '../../config/environment.ts';
import { responseReport } from '../../domain/filtering.ts';
import { priceOf } from '../../domain/prices.ts';
import type { Draft, Question } from '../../domain/records.ts';
import type { ApiActivities, Scope } from '../contract.ts';
import { failure } from '../failure.ts';
import type { Store } from '../store/store.ts';
import type { Stage } from './answer.ts';
import { askAll } from './ask-all.ts';
import { connectTeacher, describeServer } from './connect.ts';
import type { TeacherConnection } from './connect.ts';
import { createLedger } from './ledger.ts';
import { findKnown, listStored } from './known-responses.ts';
import { createPaces } from './paces.ts';
import { teacherRequests } from './requests.ts';
import { teacherName, tellFacts } from './simulated.ts';
import { faultOf, teacherFailure } from './teacher-failure.ts';
import { openJournal } from './journal.ts';
import { trackProgress } from './progress.ts';
import { createWindow } from './window.ts';

/** Needs nothing but the artefacts and the teacher's address and key. */
export type TeacherDeps = { store: Store; openai: Surroundings['openai'] };

const Spent = z.object({ teacherUsd: z.number().min(0) });

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
  return async ({ scope, recipe, questions: questionsRef, drafts: draftsRef, attempts }) => {
    const signal = Context.current().cancellationSignal;
    const { teacher } = recipe;
    const connection = connectTeacher(openai, teacher);
    const [{ questions, simulated }, drafts, stored, before] = await Promise.all([
      store.rows<Question>(questionsRef).then((rows) => begin(connection, rows, signal)),
      store.rows<Draft>(draftsRef),
      listStored(store, questionsRef.rows * attempts),
      spentBefore(store, scope),
    ]);
    const requests = teacherRequests(recipe, questions, drafts, attempts, { simulated, official: connection.official });
    const price = priceOf(teacher.model, simulated ? 'free' : teacherPrice(teacher));
    if (price === null) throw failure('InvalidRecipe', `teacher.price: no price is known for ${teacher.model}`);
    const payer = `${scope.run}/${scope.phase}-${scope.attempt}`;
    const journal = await openJournal(store, payer, stored);
    const { pace, leave } = await paceOf(connection, teacher);
    const progress = trackProgress(requests.length);
    let finished = false;
    try {
      const known = await findKnown(store, requests, stored);
      // What this stage paid before it was lost counts against the cap like what it pays now.
      const own = known.reduce((sum, stored) => sum + (stored?.paidBy === payer ? stored.costUsd : 0), 0);
      const ledger = createLedger(recipe.budget.capUsd, before + own);
      const { maxTokens, concurrency, maxRetries } = teacher;
      const { outageMinutes } = Reliability.parse(recipe.reliability);
      const line = { connection, window: createWindow(concurrency), pace, signal };
      const stage: Stage = { store, line, simulated, price, maxTokens, ledger, journal, payer, outageMinutes };
      const { advance } = progress;
      const answered = await askAll(stage, requests, known, { concurrency, maxRetries, advance });
      finished = true;
      const paidUsd = ledger.spentUsd - before;
      const rows = answered.map(({ response }) => response);
      const [responses] = await Promise.all([
        store.putRows(`${folderOf(scope)}/responses.jsonl`, rows),
        store.putJson(`${folderOf(scope)}/spent.json`, { teacherUsd: paidUsd }),
      ]);
      const names = new Set(answered.flatMap(({ model }) => (model === null ? [] : [model])));
      return {
        responses,
        report: responseReport(rows),
        costUsd: paidUsd,
        calls: rows.filter((row) => !row.reused && row.class !== 'failed').length,
        reused: rows.filter((row) => row.reused).length,
        teacher: names.size === 0 ? teacherName(teacher.model, simulated) : [...names].sort().join(', '),
      };
    } finally {
      await journal.close(finished);
      await leave();
      progress.end();
    }
  };
};

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

/** What the earlier stages of the run have paid: each leaves it beside its responses. */
async function spentBefore(store: Store, scope: Scope): Promise<number> {
  let spent = 0;
  for (let attempt = 1; attempt < scope.attempt; attempt += 1) {
    const found = await store.getJson(`${folderOf({ ...scope, attempt })}/spent.json`);
    if (found !== null) spent += Spent.parse(found.value).teacherUsd;
  }
  return spent;
}

/** The failure that an error before the first call ends the activity with. */
async function endOf(error: unknown, connection: TeacherConnection, signal: AbortSignal): Promise<Error> {
  if (signal.aborted) await Context.current().cancelled;
  return teacherFailure(faultOf(error, connection), connection);
}
