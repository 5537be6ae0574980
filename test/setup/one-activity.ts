import { proxyActivities } from '@temporalio/workflow';
import type { GpuActivities } from '../../activities/contract.ts';

const { trainSft } = proxyActivities<Pick<GpuActivities, 'trainSft'>>({
  taskQueue: 'ratchet-gpu',
  startToCloseTimeout: '10 minutes',
  heartbeatTimeout: '5 s',
});

/** Workflow of one training, for tests of the worker that serves it. */
export const oneTraining = (input: Parameters<typeof trainSft>[0]): ReturnType<typeof trainSft> => trainSft(input);
