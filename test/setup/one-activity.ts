import type { AskInput, GpuActivities } from '../../activities/contract.ts';
import { gpuTasks } from '../../workflows/tasks.ts';
import { askTeacher } from '../../workflows/teacher-batches.ts';

type Input<Name extends keyof GpuActivities> = Parameters<GpuActivities[Name]>[0];

/** Workflows of one training, retried as in a programme, for tests and measurements of the workers that serve it. */
export const oneTraining = (input: Input<'trainSft'>) => gpuTasks(input.recipe.reliability).trainSft(input);
export const oneDpoTraining = (input: Input<'trainDpo'>) => gpuTasks(input.recipe.reliability).trainDpo(input);

/** Workflow of one teacher stage. */
export const oneAsk = (input: AskInput) => askTeacher(input);
