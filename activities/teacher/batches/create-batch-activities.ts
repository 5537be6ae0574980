import type { ApiActivities } from '../../contract.ts';
import type { TeacherDeps } from '../open-stage.ts';
import { createCollectBatch } from './collect-batch.ts';
import { createCancelBatches, createLookAtBatches } from './look-at-batches.ts';
import { createPlanBatches } from './plan-batches.ts';
import { createSubmitBatch } from './submit-batch.ts';

/** The activities of batch mode; workflows/teacher-batches.ts puts them together. */
export const createBatchActivities = (deps: TeacherDeps): Omit<ApiActivities, 'askTeacher' | 'judgePairs'> => ({
  planBatches: createPlanBatches(deps),
  submitBatch: createSubmitBatch(deps),
  lookAtBatches: createLookAtBatches(deps),
  collectBatch: createCollectBatch(deps),
  cancelBatches: createCancelBatches(deps),
});
