import { responseReport } from '../../domain/filtering.ts';
import type { Recipe } from '../../config/recipe.ts';
import type { TeacherResponse } from '../../domain/records.ts';
import type { ApiActivities } from '../contract.ts';
import type { Answered } from './answer.ts';
import { askStage } from './ask-stage.ts';
import { readCollected } from './batches/collected.ts';
import type { RowFault } from './batches/collected.ts';
import { classified, failedResponse } from './classify.ts';
import { openStage } from './open-stage.ts';
import type { TeacherDeps } from './open-stage.ts';
import type { TeacherRequest } from './requests.ts';
import { namesOf } from './simulated.ts';

/**
 * Asks the teacher every question `attempts` times. A response is stored under the digest of its request before it is
 * used, so whoever asks again (a retry, another run) pays only for what is missing; at most the calls in flight at a
 * kill are paid twice. After batches, what these answered or can never answer is taken as it is.
 *
 * @throws TeacherRejected (key, model, quota), BudgetExceeded: permanent; TeacherUnavailable: retryable, answers kept
 */
export const createAskTeacher =
  (deps: TeacherDeps): ApiActivities['askTeacher'] =>
  async (input) => {
    const { store, paceOf } = deps;
    const { recipe, budget } = input;
    const { teacher } = recipe;
    const opened = await openStage(deps, input);
    const collected = await readCollected(store, input.batches ?? []);
    const { answered, paidUsd } = await askStage(store, paceOf, {
      ...{ ...opened, collected, recipe, settings: teacher, budget },
      reading: { answered: classified, failed: failedResponse },
      settle: (request) => afterBatches(request, collected.faults, input.batches && teacher),
      label: 'teacher responses',
      costOf: (teacherUsd) => ({ teacherUsd }),
    });
    const rows = answered.map(({ response }) => response);
    return {
      responses: await store.putRows(`${opened.folder}/responses.jsonl`, rows),
      report: responseReport(rows),
      costUsd: paidUsd,
      calls: rows.filter((row) => !row.reused && row.class !== 'failed').length,
      reused: rows.filter((row) => row.reused).length,
      teacher: namesOf(answered, teacher.model, opened.simulated),
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
): Answered<TeacherResponse> | null {
  const fault = faults.get(request.digest);
  if (teacher === undefined || (teacher.batch.thenLive && fault?.again !== false)) return null;
  const { message, problem } = fault ?? { message: 'no batch answered it', problem: 'server-error' };
  return { response: failedResponse(request, message, problem), model: null };
}
