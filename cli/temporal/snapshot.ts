import { defaultPayloadConverter } from '@temporalio/common';
import type { Client } from '@temporalio/client';
import type { TrainerProgress } from '../../activities/contract.ts';
import type { ProgrammeState } from '../../domain/programme.ts';
import type { GatesView } from '../../workflows/messages.ts';

/** An activity that is under way or waits to be tried again. `failure` is why its last try ended. */
export type ActivityNow = {
  type: string;
  attempt: number;
  running: boolean;
  progress: TrainerProgress | null;
  failure: string | null;
};

/** Everything a watcher shows, at one moment. `closed` is Temporal's own word for how the run ended, null while it goes on. */
export type Snapshot = {
  state: ProgrammeState;
  gates: Pick<GatesView, 'open' | 'waitingSince'>;
  activities: ActivityNow[];
  closed: string | null;
  at: string;
};

type Described = Awaited<ReturnType<ReturnType<Client['workflow']['getHandle']>['describe']>>;
type PendingActivity = NonNullable<Described['raw']['pendingActivities']>[number];

/** Asks a run and its open children. Queries leave no trace in the history, so this may be done every second. */
export async function takeSnapshot(client: Client, run: string): Promise<Snapshot> {
  const handle = client.workflow.getHandle(run);
  const [described, state] = await Promise.all([handle.describe(), handle.query<ProgrammeState>('status')]);
  const gates = state.waiting === null ? { open: null, waitingSince: null } : await handle.query<GatesView>('gates');
  const children = (described.raw.pendingChildren ?? []).flatMap(({ workflowId }) => (workflowId ? [workflowId] : []));
  const ofChildren = await Promise.all(children.map((child) => pendingOf(client, child)));
  const status = described.status.name;
  return {
    state,
    gates: { open: gates.open, waitingSince: gates.waitingSince },
    activities: [...(described.raw.pendingActivities ?? []), ...ofChildren.flat()].map(activityNow),
    closed: status === 'RUNNING' ? null : status.toLowerCase(),
    at: new Date().toISOString(),
  };
}

/** A child may have ended between being listed and being asked. */
async function pendingOf(client: Client, child: string): Promise<PendingActivity[]> {
  try {
    return (await client.workflow.getHandle(child).describe()).raw.pendingActivities ?? [];
  } catch {
    return [];
  }
}

const started = 2;

function activityNow(pending: PendingActivity): ActivityNow {
  const payload = pending.heartbeatDetails?.payloads?.[0];
  let progress: TrainerProgress | null = null;
  try {
    const value: unknown = payload ? defaultPayloadConverter.fromPayload(payload) : null;
    if (typeof value === 'object' && value !== null && 'done' in value && 'total' in value)
      progress = value as TrainerProgress;
  } catch {
    // Details of another version: the activity is shown without progress.
  }
  return {
    type: pending.activityType?.name ?? 'activity',
    attempt: pending.attempt ?? 1,
    running: Number(pending.state) === started,
    progress,
    failure: pending.lastFailure?.message ?? null,
  };
}
