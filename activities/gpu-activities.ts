import { createAttributionActivity } from './attribution/attribute.ts';
import type { GpuActivities } from './contract.ts';
import { createGenerationActivities } from './generation/generation-activities.ts';
import type { GpuDeps } from './training/gpu-deps.ts';
import { createTrainingActivities } from './training/training-activities.ts';

/** Everything that task queue `ratchet-gpu` serves. */
export const createGpuActivities = (deps: GpuDeps): GpuActivities => ({
  ...createTrainingActivities(deps),
  ...createGenerationActivities(deps),
  attribute: createAttributionActivity(deps),
});
