import { randomUUID } from 'node:crypto';
import type { Client } from '@temporalio/client';
import { badInput } from '../problem.ts';

/** A failure in a history, as far as it is read here. */
type Failure = {
  message?: string | null;
  cause?: Failure | null;
  activityFailureInfo?: { scheduledEventId?: EventId } | null;
  childWorkflowExecutionFailureInfo?: { initiatedEventId?: EventId } | null;
};
/** int64: a Long where it comes off the wire. */
type EventId = { toString(): string } | null;

/**
 * Makes a failed run go on: Temporal's reset to before the activity or phase that failed was begun. That is begun again, by
 * the same names: what it had finished is found in S3, its training goes on from the newest checkpoint.
 *
 * @throws CommandProblem when the run has not failed, or failed by itself; what Temporal refuses
 */
export async function resumeFailed(client: Client, run: string): Promise<void> {
  const { status, runId } = await client.workflow.getHandle(run).describe();
  if (status.name !== 'FAILED') {
    throw badInput(
      `Run ${run} has not failed: Temporal says ${status.name.toLowerCase()}.`,
      status.name === 'RUNNING'
        ? `Watch it: ratchet watch ${run}`
        : `Repeat a phase: ratchet run RECIPE --from ${run} --at phaseB`,
    );
  }
  const { events } = await client.workflow.getHandle(run, runId).fetchHistory();
  const { failure } = events?.at(-1)?.workflowExecutionFailedEventAttributes ?? {};
  const failedEvent = begunBy(failure);
  const begun = events?.find(({ eventId }) => String(eventId) === failedEvent);
  const { workflowTaskCompletedEventId } =
    begun?.startChildWorkflowExecutionInitiatedEventAttributes ?? begun?.activityTaskScheduledEventAttributes ?? {};
  if (!workflowTaskCompletedEventId)
    throw badInput(`Run ${run} failed by itself, so it would fail again: ${failure?.message ?? 'no reason is known'}`);
  await client.workflowService.resetWorkflowExecution({
    namespace: client.options.namespace,
    workflowExecution: { workflowId: run, runId },
    reason: 'ratchet resume',
    requestId: randomUUID(),
    workflowTaskFinishEventId: workflowTaskCompletedEventId,
  });
}

/** Id of the event that began what a workflow failed of; the outermost is its own. */
function begunBy(failure: Failure | null | undefined): string | undefined {
  for (let at = failure; at; at = at.cause) {
    const id = at.childWorkflowExecutionFailureInfo?.initiatedEventId ?? at.activityFailureInfo?.scheduledEventId;
    if (id) return String(id);
  }
  return undefined;
}
