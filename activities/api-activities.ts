import type { ApiActivities } from './contract.ts';
import { createJudgePairs } from './judge/judge-pairs.ts';
import { createAskTeacher } from './teacher/ask-teacher.ts';
import { createBatchActivities } from './teacher/batches/create-batch-activities.ts';
import type { TeacherDeps } from './teacher/open-stage.ts';
import { createPaces } from './teacher/paces.ts';

/** Activities of task queue `ratchet-api`: those that cost money. Teacher and judge of one server share its pace. */
export const createApiActivities = (own: Omit<TeacherDeps, 'paceOf'>): ApiActivities => {
  const deps = { ...own, paceOf: createPaces(own.store) };
  return { askTeacher: createAskTeacher(deps), ...createBatchActivities(deps), judgePairs: createJudgePairs(deps) };
};
