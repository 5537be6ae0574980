import { executeChild } from '@temporalio/workflow';
import type { ApiActivities, AskInput, GpuActivities } from '../../activities/contract.ts';
import { roomOf } from '../../domain/budget.ts';
import { phasePurse } from '../../workflows/purse.ts';
import type { Purse } from '../../workflows/purse.ts';
import { apiTasks, gpuTasks } from '../../workflows/tasks.ts';
import { askTeacher } from '../../workflows/teacher-batches.ts';

type Input<Name extends keyof GpuActivities> = Parameters<GpuActivities[Name]>[0];

/** Workflows of one training, retried as in a programme, for tests and measurements of the workers that serve it. */
export const oneTraining = (input: Input<'trainSft'>) =>
  gpuTasks(input.recipe.reliability, phasePurse(input.recipe, input.budget)).trainSft(input);
export const oneDpoTraining = (input: Input<'trainDpo'>) =>
  gpuTasks(input.recipe.reliability, phasePurse(input.recipe, input.budget)).trainDpo(input);

/** Tells what room there is and keeps no account: what an activity ends with comes out as it is. */
const openPurse = ({ recipe, budget }: Pick<AskInput, 'recipe' | 'budget'>): Purse => ({
  spend: (work) => work(roomOf(recipe, budget)),
});

/** Workflow of one teacher stage. */
export const oneAsk = (input: AskInput) => askTeacher(input, openPurse(input));

/** The same as a phase does it: in a child. */
export const askInChild = (input: AskInput) =>
  executeChild(oneAsk, { workflowId: `${input.scope.run}/child`, args: [input] });

/** Workflow of one stage of the judge. */
export const oneJudgement = (input: Parameters<ApiActivities['judgePairs']>[0]) =>
  apiTasks(input.recipe.reliability, openPurse(input)).judgePairs(input);
