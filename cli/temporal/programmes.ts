import {
  WorkflowExecutionAlreadyStartedError,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
  isGrpcDeadlineError,
  isGrpcServiceError,
} from '@temporalio/client';
import type { Client, WorkflowHandle } from '@temporalio/client';
import type { AblationStart } from '../../domain/ablation.ts';
import type { Decision, DecisionInput } from '../../domain/gate-types.ts';
import type { ProgrammeState, RunStart } from '../../domain/programme.ts';
import { ensureSearchAttributes } from '../../infra/embedded/index.ts';
import { searchAttributes } from '../../workflows/messages.ts';
import type { GatesView } from '../../workflows/messages.ts';
import { exitCodes } from '../exit-codes.ts';
import { badInput, commandProblem } from '../problem.ts';
import { resumeFailed } from './resume.ts';
import { takeSnapshot } from './snapshot.ts';
import type { Snapshot } from './snapshot.ts';

/** A line of `ratchet status`. `stage` and `gate` are empty where the server has no search attributes. */
export type RunLine = {
  run: string;
  recipe: string;
  status: string;
  stage: string;
  gate: string;
  startedAt: string;
  closedAt: string | null;
};

/** What the commands do with programmes; over Temporal here, by hand in tests. */
export type Programmes = {
  start: (run: string, input: RunStart) => Promise<void>;
  startAblation: (run: string, input: AblationStart) => Promise<void>;
  /** @throws CommandProblem when the run has not failed */
  resume: (run: string) => Promise<void>;
  status: (run: string) => Promise<ProgrammeState>;
  gates: (run: string) => Promise<GatesView>;
  snapshot: (run: string) => Promise<Snapshot>;
  /** @throws CommandProblem with the workflow's own reason when it is refused */
  decide: (run: string, decision: DecisionInput) => Promise<Decision>;
  cancel: (run: string) => Promise<void>;
  list: (limit: number) => Promise<RunLine[]>;
  close: () => Promise<void>;
};

const taskQueue = 'ratchet';
const answerMs = 20_000;

export function createProgrammes(client: Client, close: () => Promise<void>): Programmes {
  const handle = (run: string) => client.workflow.getHandle(run);
  const asking = <T>(run: string, question: (of: WorkflowHandle) => Promise<T>) =>
    client
      .withDeadline(Date.now() + answerMs, () => question(handle(run)))
      .catch((error: unknown) => {
        throw explain(error, run);
      });
  return {
    close,
    start: (run, input) => startWorkflow(client, 'selfImprovement', run, input),
    startAblation: (run, input) => startWorkflow(client, 'ablation', run, input),
    resume: (run) => asking(run, () => resumeFailed(client, run)),
    status: (run) => asking(run, (of) => of.query<ProgrammeState>('status')),
    gates: (run) => asking(run, (of) => of.query<GatesView>('gates')),
    snapshot: (run) => asking(run, () => takeSnapshot(client, run)),
    decide: (run, decision) => asking(run, (of) => decideBy(of, decision)),
    cancel: async (run) => {
      await asking(run, (of) => of.cancel());
    },
    async list(limit) {
      const lines: RunLine[] = [];
      const query = 'WorkflowType IN ("selfImprovement", "ablation")';
      const runs = client.workflow.list({ query, pageSize: Math.min(limit, 100) });
      try {
        for await (const info of runs) {
          const attributes = info.typedSearchAttributes;
          lines.push({
            run: info.workflowId,
            recipe: attributes.get(searchAttributes.recipe) ?? '',
            status: info.status.name.toLowerCase(),
            stage: attributes.get(searchAttributes.phase) ?? '',
            gate: attributes.get(searchAttributes.gate) ?? '',
            startedAt: info.startTime.toISOString(),
            closedAt: info.closeTime?.toISOString() ?? null,
          });
          if (lines.length >= limit) break;
        }
      } catch (error) {
        throw explain(error, '');
      }
      return lines;
    },
  };
}

async function startWorkflow(
  client: Client,
  type: 'selfImprovement' | 'ablation',
  run: string,
  input: RunStart | AblationStart,
): Promise<void> {
  await client.withDeadline(Date.now() + answerMs, () =>
    ensureSearchAttributes(client.connection.operatorService, client.options.namespace, (text) => {
      process.stderr.write(`Note: ${text}\n`);
    }),
  );
  const options = { workflowId: run, taskQueue, args: [input], workflowIdReusePolicy: 'REJECT_DUPLICATE' } as const;
  await client.workflow.start(type, options).catch((error: unknown) => {
    throw error instanceof WorkflowExecutionAlreadyStartedError
      ? badInput(`There is a run ${run} already.`, `Give another name with --id, or look at it: ratchet watch ${run}`)
      : explain(error, run);
  });
}

async function decideBy(run: WorkflowHandle, decision: DecisionInput): Promise<Decision> {
  try {
    return await run.executeUpdate<Decision, [DecisionInput]>('decide', { args: [decision] });
  } catch (error) {
    if (!(error instanceof WorkflowUpdateFailedError)) throw error;
    const refusal = error.cause?.message ?? error.message;
    // A refused Update leaves no trace in the history; the refusal is part of the record all the same.
    await run.signal('recordRefusal', decision, refusal);
    throw badInput(`The decision was refused: ${refusal}`, `See what the gate asks: ratchet gates ${run.workflowId}`);
  }
}

/** gRPC: CANCELLED (the connection went while it waited), UNAVAILABLE. */
const silent: ReadonlySet<number> = new Set([1, 14]);

/** Errors of the client as problems with a fix. */
function explain(error: unknown, run: string): unknown {
  if (error instanceof WorkflowNotFoundError)
    return badInput(`There is no run ${run}, or it has ended.`, 'See all runs: ratchet status');
  const noWorker =
    'No worker answers for the task queue ratchet. Start one (embedded: ratchet up --detach) and try again.';
  if (isGrpcDeadlineError(error))
    return commandProblem(
      exitCodes.unreachable,
      `Run ${run}: no answer within ${String(answerMs / 1000)} s.`,
      noWorker,
    );
  const refusal = [error instanceof Error ? error.cause : null, error].find(isGrpcServiceError);
  if (refusal === undefined) return error;
  return commandProblem(
    exitCodes.unreachable,
    `Temporal ${silent.has(refusal.code) ? 'did not answer' : 'refused'}: ${refusal.message}`,
    /poller|worker/iu.test(refusal.message) ? noWorker : 'Check the server and the namespace.',
  );
}
