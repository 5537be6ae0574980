import { Context } from '@temporalio/activity';
import { z } from 'zod';
import { teacherPrice } from '../../config/check-recipe.ts';
import type { Surroundings } from '../../config/environment.ts';
import { responseReport } from '../../domain/filtering.ts';
import { priceOf } from '../../domain/prices.ts';
import type { Draft, Question } from '../../domain/records.ts';
import type { ApiActivities, Scope } from '../contract.ts';
import { failure } from '../failure.ts';
import type { Store } from '../store/store.ts';
import { askStage } from './ask-stage.ts';
import { greetServer } from './greet-server.ts';
import { classified, failedResponse } from './classify.ts';
import { connectTeacher } from './connect.ts';
import { listStored } from './known-responses.ts';
import type { PaceOf } from './paces.ts';
import { teacherRequests } from './requests.ts';
import { namesOf } from './simulated.ts';

/** Needs nothing but the artefacts and the teacher's address and key. */
export type TeacherDeps = { store: Store; openai: Surroundings['openai']; paceOf: PaceOf };

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
  ({ store, openai, paceOf }: TeacherDeps): ApiActivities['askTeacher'] =>
  async ({ scope, recipe, questions: questionsRef, drafts: draftsRef, attempts }) => {
    const signal = Context.current().cancellationSignal;
    const { teacher } = recipe;
    const connection = connectTeacher(openai, teacher);
    const [{ questions, simulated }, drafts, stored, before] = await Promise.all([
      store.rows<Question>(questionsRef).then(async (rows) => ({
        questions: rows,
        simulated: await greetServer(connection, rows, signal),
      })),
      store.rows<Draft>(draftsRef),
      listStored(store, questionsRef.rows * attempts),
      spentBefore(store, scope),
    ]);
    const price = priceOf(teacher.model, simulated ? 'free' : teacherPrice(teacher));
    if (price === null) throw failure('InvalidRecipe', `teacher.price: no price is known for ${teacher.model}`);
    const { answered, paidUsd } = await askStage(store, paceOf, {
      requests: teacherRequests(recipe, questions, drafts, attempts, { simulated, official: connection.official }),
      reading: { answered: classified, failed: failedResponse },
      payer: `${scope.run}/${scope.phase}-${scope.attempt}`,
      label: 'teacher responses',
      ...{ recipe, settings: teacher, connection, simulated, price, stored, spentUsd: before },
    });
    const rows = answered.map(({ response }) => response);
    const [responses] = await Promise.all([
      store.putRows(`${folderOf(scope)}/responses.jsonl`, rows),
      store.putJson(`${folderOf(scope)}/spent.json`, { teacherUsd: paidUsd }),
    ]);
    return {
      responses,
      report: responseReport(rows),
      costUsd: paidUsd,
      calls: rows.filter((row) => !row.reused && row.class !== 'failed').length,
      reused: rows.filter((row) => row.reused).length,
      teacher: namesOf(answered, teacher.model, simulated),
    };
  };

/** What the earlier stages of the run have paid: each leaves it beside its responses. */
async function spentBefore(store: Store, scope: Scope): Promise<number> {
  let spent = 0;
  for (let attempt = 1; attempt < scope.attempt; attempt += 1) {
    const found = await store.getJson(`${folderOf({ ...scope, attempt })}/spent.json`);
    if (found !== null) spent += Spent.parse(found.value).teacherUsd;
  }
  return spent;
}
