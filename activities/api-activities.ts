import type { ApiActivities } from './contract.ts';
import { createAskTeacher } from './teacher/ask-teacher.ts';
import type { TeacherDeps } from './teacher/ask-teacher.ts';

/** Activities of task queue `ratchet-api`: those that cost money. */
export const createApiActivities = (deps: TeacherDeps): ApiActivities => ({ askTeacher: createAskTeacher(deps) });
