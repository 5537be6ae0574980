import { trackCopies } from '../../domain/copies.ts';
import { countResponses } from '../../domain/filtering.ts';
import type { Recipe } from '../../config/recipe.ts';
import type { TeacherResponse } from '../../domain/records.ts';
import type { ApiActivities } from '../contract.ts';
import { withShelves } from '../store/shelf.ts';
import type { Answered } from './answer.ts';
import { askStage } from './ask-stage.ts';
import { readCollected } from './batches/collected.ts';
import type { Collected } from './batches/collected.ts';
import { classified, failedResponse } from './classify.ts';
import { openStage } from './open-stage.ts';
import type { TeacherDeps } from './open-stage.ts';
import { trackProgress } from './progress.ts';
import type { TeacherRequest } from './requests.ts';
import { namesOf } from './simulated.ts';

/**
 * Asks the teacher every question `attempts` times. A response is stored under the digest of its request before it is
 * used, so whoever asks again (a retry, another run) pays only for what is missing; at most the calls in flight at a
 * kill are paid twice. After batches, what these answered or can never answer is taken as it is.
 *
 * @throws TeacherRejected (key, model, quota), BudgetExceeded: permanent; TeacherUnavailable: retryable, answers kept
 */
export const createAskTeacher = (deps: TeacherDeps): ApiActivities['askTeacher'] => {
  const { store, paceOf } = deps;
  return (input) =>
    withShelves(store, async (newShelf) => {
      const { recipe, budget } = input;
      const { teacher } = recipe;
      const progress = trackProgress(input.questions.rows * input.attempts, 'teacher responses');
      try {
        const opened = await openStage(deps, newShelf, input);
        const collected = await readCollected(store, newShelf, input.batches ?? []);
        const { answered, paidUsd } = await askStage(store, paceOf, newShelf, {
          ...{ ...opened, collected, recipe, settings: teacher, budget, progress },
          reading: { answered: classified, failed: failedResponse },
          settle: (request) => afterBatches(request, collected, input.batches && teacher),
          costOf: (teacherUsd) => ({ teacherUsd }),
        });
        const counted = countRows();
        const responses = await store.putRows(`${opened.folder}/responses.jsonl`, counted.passing(answered));
        const { models, ...counts } = counted.found();
        const name = namesOf(models, teacher.model, opened.simulated);
        return { responses, ...counts, costUsd: paidUsd, teacher: name, server: opened.connection.server };
      } finally {
        progress.end();
      }
    });
};

/** Counts rows on their way to the artefact. */
function countRows() {
  const classes = countResponses();
  const models = new Set<string | null>();
  const copies = trackCopies();
  let [calls, reused] = [0, 0];
  return {
    *passing(answered: Iterable<Answered<TeacherResponse>>): Generator<TeacherResponse> {
      for (const { model, ...one } of answered) {
        const response = copies.isCopy({ ...one.response, ...one }) ? copied(one.response) : one.response;
        classes.add(response);
        models.add(model);
        if (response.reused) reused += 1;
        else if (response.class !== 'failed') calls += 1;
        yield response;
      }
    },
    found: () => ({ report: classes.report(), calls, reused, models }),
  };
}

/** An answer that was another one's before: it votes for nothing, and nothing is trained on it. */
const copied = (response: TeacherResponse): TeacherResponse => ({ ...response, problem: 'copied' });

/**
 * How a request that batches did not answer ends; null = it is asked live.
 *
 * @param teacher undefined when there were no batches
 */
function afterBatches(
  request: TeacherRequest,
  { faultOf }: Collected,
  teacher: Recipe['teacher'] | undefined,
): Answered<TeacherResponse> | null {
  const fault = faultOf(request.digest);
  if (teacher === undefined || (teacher.batch.thenLive && fault?.again !== false)) return null;
  const { message, problem } = fault ?? { message: 'no batch answered it', problem: 'server-error' };
  return { response: failedResponse(request, message, problem), model: null };
}
