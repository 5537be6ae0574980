import type { ApiActivities, GpuActivities } from '../../activities/contract.ts';
import { phasePurse } from '../../workflows/purse.ts';
import { apiTasks, gpuTasks } from '../../workflows/tasks.ts';

type Input<Name extends keyof GpuActivities> = Parameters<GpuActivities[Name]>[0];

/** Workflows of one training, retried as in a programme, for tests and measurements of the workers that serve it. */
export const oneTraining = (input: Input<'trainSft'>) =>
  gpuTasks(input.recipe.reliability, phasePurse(input.recipe, input.budget)).trainSft(input);
export const oneDpoTraining = (input: Input<'trainDpo'>) =>
  gpuTasks(input.recipe.reliability, phasePurse(input.recipe, input.budget)).trainDpo(input);

/** Workflow of one teacher stage. */
export const oneAsk = (input: Parameters<ApiActivities['askTeacher']>[0]) =>
  apiTasks(input.recipe.reliability, phasePurse(input.recipe, input.budget)).askTeacher(input);

/** Workflow of one stage of the judge. */
export const oneJudgement = (input: Parameters<ApiActivities['judgePairs']>[0]) =>
  apiTasks(input.recipe.reliability, phasePurse(input.recipe, input.budget)).judgePairs(input);
