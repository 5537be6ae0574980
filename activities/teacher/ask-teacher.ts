import { Context } from '@temporalio/activity';
import pLimit from 'p-limit';
import { z } from 'zod';
import { teacherPrice } from '../../config/check-recipe.ts';
import type { Surroundings } from '../../config/environment.ts';
import { responseReport } from '../../domain/filtering.ts';
import { priceOf } from '../../domain/prices.ts';
import type { Draft, Question } from '../../domain/records.ts';
import type { ApiActivities, Scope } from '../contract.ts';
import { failure } from '../failure.ts';
import type { Store } from '../store/store.ts';
import { answer } from './answer.ts';
import type { Answered, Stage } from './answer.ts';
import { connectTeacher, describeServer } from './connect.ts';
import type { TeacherConnection } from './connect.ts';
import { createLedger } from './ledger.ts';
import { findResponse } from './response-store.ts';
import type { StoredResponse } from './response-store.ts';
import { teacherRequests } from './requests.ts';
import type { TeacherRequest } from './requests.ts';
import { teacherName, tellFacts } from './simulated.ts';
import { faultOf, teacherFailure } from './teacher-failure.ts';
import type { CallFault } from './teacher-failure.ts';
import { trackProgress } from './progress.ts';

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
export const createAskTeacher =
  ({ store, openai }: TeacherDeps): ApiActivities['askTeacher'] =>
  async ({ scope, recipe, questions: questionsRef, drafts: draftsRef, attempts }) => {
    const signal = Context.current().cancellationSignal;
    const connection = connectTeacher(openai, recipe.teacher);
    const [questions, drafts] = [await store.rows<Question>(questionsRef), await store.rows<Draft>(draftsRef)];
    const { simulated } = await begin(connection, questions, signal);
    const requests = teacherRequests(recipe, questions, drafts, attempts, { simulated, official: connection.official });
    const price = priceOf(recipe.teacher.model, simulated ? 'free' : teacherPrice(recipe.teacher));
    if (price === null) throw failure('InvalidRecipe', `teacher.price: no price is known for ${recipe.teacher.model}`);
    const payer = `${scope.run}/${scope.phase}-${scope.attempt}`;
    const progress = trackProgress(requests.length);
    try {
      const known = await findAll(store, requests, recipe.teacher.concurrency);
      const before = await spentBefore(store, scope);
      // What this stage paid before it was lost counts against the cap like what it pays now.
      const own = known.reduce((sum, stored) => sum + (stored?.paidBy === payer ? stored.costUsd : 0), 0);
      const ledger = createLedger(recipe.budget.capUsd, before + own);
      const { maxTokens, concurrency } = recipe.teacher;
      const { outageMinutes } = recipe.reliability;
      const stage: Stage = { store, connection, simulated, price, maxTokens, ledger, payer, signal, outageMinutes };
      const answered = await askAll(stage, requests, known, concurrency, progress.advance);
      const rows = answered.map(({ response }) => response);
      const responses = await store.putRows(`${folderOf(scope)}/responses.jsonl`, rows);
      const paidUsd = ledger.spentUsd - before;
      await store.putJson(`${folderOf(scope)}/spent.json`, { teacherUsd: paidUsd });
      const names = new Set(answered.flatMap(({ model }) => (model === null ? [] : [model])));
      return {
        responses,
        report: responseReport(rows),
        costUsd: paidUsd,
        calls: rows.filter((row) => !row.reused && row.class !== 'failed').length,
        reused: rows.filter((row) => row.reused).length,
        teacher: names.size === 0 ? teacherName(recipe.teacher.model, simulated) : [...names].sort().join(', '),
      };
    } finally {
      progress.end();
    }
  };

const findAll = (store: Store, requests: readonly TeacherRequest[], concurrency: number) =>
  pLimit(concurrency).map(requests, ({ digest }) => findResponse(store, digest));

/** Checks key and server; tells the simulated teacher its facts. */
async function begin(connection: TeacherConnection, questions: readonly Question[], signal: AbortSignal) {
  try {
    const server = await describeServer(connection, signal);
    if (server.simulated) await tellFacts(connection, questions, signal);
    return server;
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

/**
 * Every request that has no stored response, at most `concurrency` at a time. A fault that may pass spares the other
 * requests: they are answered and stored first, unless nothing comes through any more. Then the activity fails and is
 * tried again.
 */
async function askAll(
  stage: Stage,
  requests: readonly TeacherRequest[],
  known: readonly (StoredResponse | null)[],
  concurrency: number,
  advance: () => void,
): Promise<Answered[]> {
  const limit = pLimit(concurrency);
  const transient: CallFault[] = [];
  const ends: Error[] = [];
  let inARow = 0;
  const ask = async (request: TeacherRequest, index: number): Promise<Answered | null> => {
    if (ends.length > 0) return null;
    try {
      const answered = await answer(stage, request, known[index] ?? null);
      if ('response' in answered) {
        advance();
        inARow = 0;
        return answered;
      }
      if (answered.kind === 'transient') {
        transient.push(answered);
        inARow += 1;
      }
      if (answered.kind !== 'transient' || inARow >= Math.max(concurrency, 8)) {
        ends.push(teacherFailure(answered, stage.connection));
      }
    } catch (error) {
      ends.push(error instanceof Error ? error : new Error(String(error)));
    }
    return null;
  };
  const answered = await Promise.all(requests.map((request, index) => limit(ask, request, index)));
  if (stage.signal.aborted) await Context.current().cancelled;
  if (ends[0]) throw ends[0];
  const first = transient[0];
  if (first) {
    const message = `${transient.length} of ${requests.length} requests failed, the first with: ${first.message}`;
    throw teacherFailure({ ...first, message }, stage.connection);
  }
  return answered.filter((one) => one !== null);
}

/** The failure that an error before the first call ends the activity with. */
async function endOf(error: unknown, connection: TeacherConnection, signal: AbortSignal): Promise<Error> {
  if (signal.aborted) await Context.current().cancelled;
  return teacherFailure(faultOf(error, connection), connection);
}
