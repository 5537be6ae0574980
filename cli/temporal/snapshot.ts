import { defaultPayloadConverter } from '@temporalio/common';
import type { Client } from '@temporalio/client';
import type { TrainerProgress } from '../../activities/contract.ts';
import type { TrainingLedger } from '../../domain/ledger.ts';
import type { ProgrammeState } from '../../domain/programme.ts';
import type { BatchWait } from '../../domain/teacher-batches.ts';
import type { GatesView } from '../../workflows/messages.ts';

/** An activity that is under way or waits to be tried again. `failure` is why its last try ended. */
export type ActivityNow = {
  /** Of all activities of the run and its children, this one; the same at each try. */
  id: string;
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
  /** What losses cost the phases that are not over yet, as far as these can tell. */
  inFlight: TrainingLedger[];
  closed: string | null;
  /** The teacher's batches that are waited for; absent = none. */
  batches?: BatchWait;
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
  const ofChildren = await Promise.all(children.map((child) => childNow(client, child)));
  const own = (described.raw.pendingActivities ?? []).map((pending) => activityNow(run, pending));
  const status = described.status.name;
  const batches = status === 'RUNNING' ? await batchesNow(client, state, children) : undefined;
  return {
    state,
    gates: { open: gates.open, waitingSince: gates.waitingSince },
    activities: [...own, ...ofChildren.flatMap(({ activities }) => activities)],
    // The arms of an ablation are trained by the run itself.
    inFlight: [...own.map(({ progress }) => progress), ...ofChildren].flatMap((each) => each?.ledger ?? []),
    closed: status === 'RUNNING' ? null : status.toLowerCase(),
    ...(batches && { batches }),
    at: new Date().toISOString(),
  };
}

/** Whoever may ask the teacher in a stage: the run itself, then its phases (B, and C in its later rounds). */
const askingIn = ({ run, stage }: ProgrammeState, children: readonly string[]): readonly string[] => {
  if (stage === 'teacher') return [run];
  return stage === 'phaseB' || stage === 'phaseC' ? children : [];
};

/** Batches that are waited for now; a workflow that has sent none yet has no such query. */
async function batchesNow(
  client: Client,
  state: ProgrammeState,
  children: readonly string[],
): Promise<BatchWait | undefined> {
  if ((state.recipe as { teacher?: { mode?: string } } | null)?.teacher?.mode !== 'batch') return undefined;
  for (const asking of askingIn(state, children)) {
    const wait = await client.workflow
      .getHandle(asking)
      .query<BatchWait>('batches')
      .catch(() => undefined);
    if (wait && wait.batches.length > 0) return wait;
  }
  return undefined;
}

type ChildNow = { activities: ActivityNow[]; ledger: TrainingLedger | null };

/** A child may have ended between being listed and being asked. */
async function childNow(client: Client, child: string): Promise<ChildNow> {
  try {
    const handle = client.workflow.getHandle(child);
    const activities = ((await handle.describe()).raw.pendingActivities ?? []).map((pending) =>
      activityNow(child, pending),
    );
    const trains = activities.some(({ type }) => type === 'trainSft' || type === 'trainDpo');
    // A training tells in its heartbeats; once it has ended its phase does, which before that has no such query.
    const told = activities.map(({ progress }) => progress?.ledger).find((ledger) => ledger !== undefined);
    const asked = trains ? null : await handle.query<TrainingLedger | null>('ledger').catch(() => null);
    return { activities, ledger: told ?? asked };
  } catch {
    return { activities: [], ledger: null };
  }
}

const started = 2;

function activityNow(workflow: string, pending: PendingActivity): ActivityNow {
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
    id: `${workflow}/${pending.activityId ?? ''}`,
    type: pending.activityType?.name ?? 'activity',
    attempt: pending.attempt ?? 1,
    running: Number(pending.state) === started,
    progress,
    failure: pending.lastFailure?.message ?? null,
  };
}
