import type { ApiActivities } from './contract.ts';
import { createAskTeacher } from './teacher/ask-teacher.ts';
import type { TeacherDeps } from './teacher/ask-teacher.ts';
import { createPaces } from './teacher/paces.ts';

/** Activities of task queue `ratchet-api`: those that cost money. */
export const createApiActivities = (deps: Omit<TeacherDeps, 'paceOf'>): ApiActivities => {
  const paceOf = createPaces(deps.store);
  return { askTeacher: createAskTeacher({ ...deps, paceOf }) };
};
