import { proxyActivities } from '@temporalio/workflow';
import type { ApiActivities } from '../../activities/contract.ts';

const { askTeacher } = proxyActivities<ApiActivities>({
  taskQueue: 'ratchet-api',
  startToCloseTimeout: '1 hour',
  heartbeatTimeout: '5 s',
  retry: { initialInterval: '100 ms', backoffCoefficient: 1 },
});

/** Workflow of one teacher stage. */
export const oneAsk = (input: Parameters<typeof askTeacher>[0]): ReturnType<typeof askTeacher> => askTeacher(input);
