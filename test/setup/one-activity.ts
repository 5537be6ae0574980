import { proxyActivities } from '@temporalio/workflow';
import type { ApiActivities, GpuActivities } from '../../activities/contract.ts';

const { trainSft } = proxyActivities<Pick<GpuActivities, 'trainSft'>>({
  taskQueue: 'ratchet-gpu',
  startToCloseTimeout: '10 minutes',
  heartbeatTimeout: '5 s',
});
const { askTeacher } = proxyActivities<ApiActivities>({
  taskQueue: 'ratchet-api',
  startToCloseTimeout: '1 hour',
  heartbeatTimeout: '5 s',
  retry: { initialInterval: '100 ms', backoffCoefficient: 1 },
});

/** Workflow of one training, for tests of the worker that serves it. */
export const oneTraining = (input: Parameters<typeof trainSft>[0]): ReturnType<typeof trainSft> => trainSft(input);

/** Workflow of one teacher stage. */
export const oneAsk = (input: Parameters<typeof askTeacher>[0]): ReturnType<typeof askTeacher> => askTeacher(input);
