import type { ApiActivities } from './contract.ts';
import { createAskTeacher } from './teacher/ask-teacher.ts';
import { createBatchActivities } from './teacher/batches/create-batch-activities.ts';
import type { TeacherDeps } from './teacher/open-stage.ts';

/** Activities of task queue `ratchet-api`: those that cost money. */
export const createApiActivities = (deps: TeacherDeps): ApiActivities => ({
  askTeacher: createAskTeacher(deps),
  ...createBatchActivities(deps),
});
