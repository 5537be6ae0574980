import { Context } from '@temporalio/activity';
import { teacherPrice } from '../../config/check-recipe.ts';
import type { Surroundings } from '../../config/environment.ts';
import { responseReport } from '../../domain/filtering.ts';
import { priceOf } from '../../domain/prices.ts';
import type { Draft, Question } from '../../domain/records.ts';
import type { ApiActivities, Scope } from '../contract.ts';
import { failure } from '../failure.ts';
import type { Store } from '../store/store.ts';
import { askStage } from './ask-stage.ts';
import { unansweredBefore } from './books.ts';
import { greetServer } from './greet-server.ts';
import { classified, failedResponse } from './classify.ts';
import { connectTeacher } from './connect.ts';
import { listStored } from './known-responses.ts';
import type { PaceOf } from './paces.ts';
import { teacherRequests } from './requests.ts';
import { namesOf } from './simulated.ts';

/** Needs nothing but the artefacts and the teacher's address and key. */
export type TeacherDeps = { store: Store; openai: Surroundings['openai']; paceOf: PaceOf };

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
  async ({ scope, budget, recipe, questions: questionsRef, drafts: draftsRef, attempts }) => {
    const signal = Context.current().cancellationSignal;
    const { teacher } = recipe;
    const connection = connectTeacher(openai, teacher);
    const folder = folderOf(scope);
    const [{ questions, simulated }, drafts, stored, unansweredUsd] = await Promise.all([
      store.rows<Question>(questionsRef).then(async (rows) => ({
        questions: rows,
        simulated: await greetServer(connection, rows, signal),
      })),
      store.rows<Draft>(draftsRef),
      listStored(store, questionsRef.rows * attempts),
      unansweredBefore(store, folder),
    ]);
    const price = priceOf(teacher.model, simulated ? 'free' : teacherPrice(teacher));
    if (price === null) throw failure('InvalidRecipe', `teacher.price: no price is known for ${teacher.model}`);
    const { answered, paidUsd } = await askStage(store, paceOf, {
      requests: teacherRequests(recipe, questions, drafts, attempts, { simulated, official: connection.official }),
      reading: { answered: classified, failed: failedResponse },
      payer: `${scope.run}/${scope.phase}-${scope.attempt}`,
      label: 'teacher responses',
      costOf: (teacherUsd) => ({ teacherUsd }),
      ...{ folder, recipe, settings: teacher, connection, simulated, price, stored, budget, unansweredUsd },
    });
    const rows = answered.map(({ response }) => response);
    return {
      responses: await store.putRows(`${folder}/responses.jsonl`, rows),
      report: responseReport(rows),
      costUsd: paidUsd,
      calls: rows.filter((row) => !row.reused && row.class !== 'failed').length,
      reused: rows.filter((row) => row.reused).length,
      teacher: namesOf(answered, teacher.model, simulated),
    };
  };
