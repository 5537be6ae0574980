import { Context } from '@temporalio/activity';
import { Reliability } from '../../config/reliability.ts';
import type { Recipe } from '../../config/recipe.ts';
import { responseReport } from '../../domain/filtering.ts';
import type { ApiActivities, Asked, Scope } from '../contract.ts';
import type { Store } from '../store/store.ts';
import { reuse } from './answer.ts';
import type { Answered, Stage } from './answer.ts';
import { askAll } from './ask-all.ts';
import { readCollected } from './batches/collected.ts';
import type { RowFault } from './batches/collected.ts';
import { failedResponse } from './classify.ts';
import { createLedger } from './ledger.ts';
import { findKnown } from './known-responses.ts';
import { folderOf, openStage } from './open-stage.ts';
import type { TeacherDeps } from './open-stage.ts';
import { createPaces } from './paces.ts';
import type { TeacherRequest } from './requests.ts';
import { teacherName } from './simulated.ts';
import { openJournal } from './journal.ts';
import { trackProgress } from './progress.ts';
import { createWindow } from './window.ts';

/**
 * Asks the teacher every question `attempts` times. A response is stored under the digest of its request before it is
 * used, so whoever asks again (a retry, another run) pays only for what is missing; at most the calls in flight at a
 * kill are paid twice. After batches, what these answered or can never answer is taken as it is.
 *
 * @throws TeacherRejected (key, model, quota), BudgetExceeded: permanent; TeacherUnavailable: retryable, answers kept
 */
export const createAskTeacher = (deps: TeacherDeps): ApiActivities['askTeacher'] => {
  const { store } = deps;
  const paceOf = createPaces(store);
  return async (input) => {
    const { scope, recipe } = input;
    const { teacher } = recipe;
    const opened = await openStage(deps, input);
    const { connection, simulated, requests, stored, price, payer, beforeUsd } = opened;
    const collected = await readCollected(store, input.batches ?? []);
    const journal = await openJournal(store, payer, stored);
    const { pace, leave } = await paceOf(connection, teacher);
    const progress = trackProgress(requests.length);
    let finished = false;
    try {
      const known = await findKnown(store, requests, { stored, collected, payer });
      const ledger = createLedger(recipe.budget.capUsd, beforeUsd + known.paidUsd);
      const { maxTokens, concurrency, maxRetries } = teacher;
      const { outageMinutes } = Reliability.parse(recipe.reliability);
      const signal = Context.current().cancellationSignal;
      const line = { connection, window: createWindow(concurrency), pace, signal };
      const stage: Stage = { store, line, simulated, price, maxTokens, ledger, journal, payer, outageMinutes };
      const settled = requests.map((request, index) => {
        const response = known.responses[index];
        return response
          ? reuse(stage, request, response)
          : afterBatches(request, collected.faults, input.batches && teacher);
      });
      const { advance } = progress;
      const answered = await askAll(stage, requests, settled, { concurrency, maxRetries, advance });
      finished = true;
      const asked = await keepRows(store, scope, answered, ledger.spentUsd - beforeUsd);
      return { ...asked, teacher: asked.teacher || teacherName(teacher.model, simulated) };
    } finally {
      await journal.close(finished);
      await leave();
      progress.end();
    }
  };
};

/**
 * How a request that batches did not answer ends; null = it is asked live.
 *
 * @param teacher undefined when there were no batches
 */
function afterBatches(
  request: TeacherRequest,
  faults: ReadonlyMap<string, RowFault>,
  teacher: Recipe['teacher'] | undefined,
): Answered | null {
  const fault = faults.get(request.digest);
  if (teacher === undefined || (teacher.batch.thenLive && fault?.again !== false)) return null;
  const { message, problem } = fault ?? { message: 'no batch answered it', problem: 'server-error' };
  return { response: failedResponse(request, message, problem), model: null };
}

/** Writes the rows and what they cost; `teacher` is empty where no answer has a name. */
async function keepRows(store: Store, scope: Scope, answered: Answered[], costUsd: number): Promise<Asked> {
  const rows = answered.map(({ response }) => response);
  const [responses] = await Promise.all([
    store.putRows(`${folderOf(scope)}/responses.jsonl`, rows),
    store.putJson(`${folderOf(scope)}/spent.json`, { teacherUsd: costUsd }),
  ]);
  const names = new Set(answered.flatMap(({ model }) => (model === null ? [] : [model])));
  return {
    responses,
    report: responseReport(rows),
    costUsd,
    calls: rows.filter((row) => !row.reused && row.class !== 'failed').length,
    reused: rows.filter((row) => row.reused).length,
    teacher: [...names].sort().join(', '),
  };
}
