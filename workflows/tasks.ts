import {
  ActivityCancellationType,
  ActivityFailure,
  ApplicationFailure,
  proxyActivities,
  sleep,
} from '@temporalio/workflow';
import type { ApiActivities, Asked, GpuActivities, OrchestratorActivities } from '../activities/contract.ts';
import type { Recipe } from '../config/recipe.ts';
import { failures, infrastructureFailures, permanentFailures, sdkFailures } from '../domain/failures.ts';
import type { FailureType } from '../domain/failures.ts';
import type { BudgetRoom, Cost } from '../domain/budget.ts';
import type { Purse } from './purse.ts';

type Reliability = Recipe['reliability'];
type Activity<I, O> = (input: I) => Promise<O>;

/**
 * Temporal itself retries losses of a host (heartbeat timeouts, GpuLost, LeaseLost): at once, without limit. What may be
 * the infrastructure's fault comes back here, is counted, and tried again with back-off; the rest is not retried. The
 * interval is what a missed heartbeat waits on top of its timeout.
 */
const retry = {
  initialInterval: '200 milliseconds',
  backoffCoefficient: 1,
  nonRetryableErrorTypes: [...permanentFailures, ...infrastructureFailures, ...sdkFailures],
};

/** The listed type of an activity's failure; a type that is not listed counts as `Unexpected`. */
export function typeOf(error: unknown): FailureType | null {
  if (!(error instanceof ActivityFailure && error.cause instanceof ApplicationFailure)) return null;
  const { type } = error.cause;
  return type != null && Object.hasOwn(failures, type) ? (type as FailureType) : 'Unexpected';
}

/** Whether a failure may pass by itself. */
export function isInfrastructure(error: unknown): boolean {
  const type = typeOf(error);
  return type !== null && failures[type] === 'retryable';
}

/** Whether it is a fault of ratchet or of its host, and not of a server that is away. */
export const isUnexpected = (error: unknown): boolean => typeOf(error) === 'Unexpected';

/** @param counts which failures are tried again, as often as the recipe says; the rest is for the caller */
function bounded<I, O>(
  activity: Activity<I, O>,
  reliability: Reliability,
  counts: (error: unknown) => boolean = isInfrastructure,
): Activity<I, O> {
  return async (input) => {
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await activity(input);
      } catch (error) {
        if (!counts(error) || attempt >= reliability.maxInfrastructureRetries) throw error;
        await sleep(Math.min(1000 * 2 ** attempt, 300_000));
      }
    }
  };
}

/** The same for an activity that costs something: told what room the purse has, and counted there. */
const paid =
  <I extends { budget?: BudgetRoom }, O>(
    activity: Activity<I, O>,
    purse: Purse,
    costOf: (result: O) => Cost,
  ): Activity<I, O> =>
  (input) =>
    purse.spend((budget) => activity({ ...input, budget }), costOf);

/** Work that needs no GPU and no paid call. Usable before a recipe is known. */
export const orchestrator = proxyActivities<OrchestratorActivities>({
  taskQueue: 'ratchet',
  startToCloseTimeout: '10 minutes',
  heartbeatTimeout: '30 seconds',
  retry: {
    nonRetryableErrorTypes: permanentFailures,
    initialInterval: '1 second',
    backoffCoefficient: 2,
    maximumInterval: '1 minute',
    maximumAttempts: 20,
  },
});

/** Notices of gates that wait: tried for about a day, and never in the way of the gate. */
export const notifications = proxyActivities<Pick<OrchestratorActivities, 'notifyGate'>>({
  taskQueue: 'ratchet',
  startToCloseTimeout: '1 minute',
  retry: {
    ...retry,
    nonRetryableErrorTypes: permanentFailures,
    backoffCoefficient: 2,
    maximumInterval: '1 hour',
    maximumAttempts: 30,
  },
});

/** Work on a GPU host. A cancelled activity is waited for: it stops its trainer and keeps what was checkpointed. */
export function gpuTasks(reliability: Reliability, purse: Purse): GpuActivities {
  const gpu = proxyActivities<GpuActivities>({
    taskQueue: 'ratchet-gpu',
    startToCloseTimeout: '7 days',
    heartbeatTimeout: reliability.heartbeatSeconds * 1000,
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    retry,
  });
  const timed = <I extends { budget?: BudgetRoom }, O extends { gpuSeconds: number }>(activity: Activity<I, O>) =>
    paid(bounded(activity, reliability), purse, ({ gpuSeconds }) => ({ gpuSeconds }));
  return {
    generateDrafts: timed(gpu.generateDrafts),
    evaluate: timed(gpu.evaluate),
    attribute: timed(gpu.attribute),
    trainSft: timed(gpu.trainSft),
    trainDpo: timed(gpu.trainDpo),
  };
}

/** Calls of teacher and judge; what was answered before a loss is in the store and is not paid again. */
const api = (reliability: Reliability): ApiActivities => {
  const activities = proxyActivities<ApiActivities>({
    taskQueue: 'ratchet-api',
    startToCloseTimeout: '2 days',
    heartbeatTimeout: reliability.heartbeatSeconds * 1000,
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    retry,
  });
  return {
    askTeacher: bounded(activities.askTeacher, reliability),
    planBatches: bounded(activities.planBatches, reliability),
    submitBatch: bounded(activities.submitBatch, reliability),
    // Who looks looks again anyway where the provider is away.
    lookAtBatches: bounded(activities.lookAtBatches, reliability, isUnexpected),
    collectBatch: bounded(activities.collectBatch, reliability),
    cancelBatches: bounded(activities.cancelBatches, reliability),
    judgePairs: bounded(activities.judgePairs, reliability),
  };
};

/** Work by batches is paid for as a whole: see teacher-batches.ts. */
export const batchTasks = (reliability: Reliability): Omit<ApiActivities, 'judgePairs'> => api(reliability);

/** What asking the teacher has cost, however it was asked. */
export const costOfAsking = ({ costUsd, calls }: Asked): Cost => ({ teacherUsd: costUsd, teacherCalls: calls });

/** Paid calls. */
export function apiTasks(reliability: Reliability, purse: Purse): Pick<ApiActivities, 'askTeacher' | 'judgePairs'> {
  const calls = api(reliability);
  return {
    askTeacher: paid((input) => calls.askTeacher(input), purse, costOfAsking),
    judgePairs: paid(
      (input) => calls.judgePairs(input),
      purse,
      ({ costUsd, calls }) => ({ judgeUsd: costUsd, judgeCalls: calls }),
    ),
  };
}
