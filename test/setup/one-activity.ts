import type { ApiActivities, AskInput, GpuActivities } from '../../activities/contract.ts';
import { phasePurse } from '../../workflows/purse.ts';
import { apiTasks, gpuTasks } from '../../workflows/tasks.ts';
import { askTeacher } from '../../workflows/teacher-batches.ts';

type Input<Name extends keyof GpuActivities> = Parameters<GpuActivities[Name]>[0];

/** Workflows of one training, retried as in a programme, for tests and measurements of the workers that serve it. */
export const oneTraining = (input: Input<'trainSft'>) =>
  gpuTasks(input.recipe.reliability, phasePurse(input.recipe, input.budget)).trainSft(input);
export const oneDpoTraining = (input: Input<'trainDpo'>) =>
  gpuTasks(input.recipe.reliability, phasePurse(input.recipe, input.budget)).trainDpo(input);

/** Workflow of one teacher stage. */
export const oneAsk = (input: AskInput) => askTeacher(input, phasePurse(input.recipe, input.budget));

/** Workflow of one stage of the judge. */
export const oneJudgement = (input: Parameters<ApiActivities['judgePairs']>[0]) =>
  apiTasks(input.recipe.reliability, phasePurse(input.recipe, input.budget)).judgePairs(input);
