import { setTimeout as delay } from 'node:timers/promises';
import { Client, Connection, WorkflowFailedError } from '@temporalio/client';
import pRetry from 'p-retry';
import { createS3Client } from '../../activities/store/client.ts';
import { createStore } from '../../activities/store/store.ts';
import type { Store } from '../../activities/store/store.ts';
import { readEnvironment } from '../../config/environment.ts';
import type { ProgrammeState } from '../../domain/programme.ts';
import { serviceNames } from '../../infra/embedded/index.ts';
import { liveRecord } from '../../infra/embedded/records.ts';
import type { TeacherStats } from '../../infra/simulated-teacher/counters.ts';
import { weightsOf } from '../../test/setup/gpu.ts';
import { pidOf } from '../../test/setup/kills.ts';
import { startTestStack } from '../../test/setup/stack.ts';
import type { TestStack } from '../../test/setup/stack.ts';
import { createChance } from './chance.ts';

const RECIPE = 'test/integration/quick.yaml';
/** Temporal and S3 are waited for by everybody, so they die less often. */
const victims = ['temporal', 's3', 'orchestrator', 'api', 'gpu', 'gpu', 'job', 'job', 'job'] as const;

type Site = { stack: TestStack; client: Client; store: Store };

/**
 * Two programmes at a time, each with a seed of its own, while server, S3, workers and trainer are killed at random;
 * then the same two undisturbed. Repeated until the minutes are over.
 *
 * @returns runs whose adapters, verdicts or answers differ from the undisturbed run's, and answers that were paid twice
 */
export async function disturbedProgrammes(minutes: number, seed: string): Promise<number> {
  const stack = await startTestStack(serviceNames);
  const surroundings = readEnvironment(stack.env);
  const s3 = createS3Client(surroundings.s3);
  const client = new Client({ connection: await Connection.connect({ address: stack.env['TEMPORAL_ADDRESS'] ?? '' }) });
  const store = createStore({ client: s3, bucket: surroundings.bucket, cacheDir: `${stack.home}/bench-cache` });
  const chance = createChance(seed);
  const until = Date.now() + minutes * 60_000;
  let differing = 0;
  try {
    for (let round = 1; Date.now() < until; round += 1) {
      const seeds = [2 * round, 2 * round + 1];
      differing += await disturbedPair({ stack, client, store }, seeds, chance);
    }
    const { paidTwice, answered } = await statsOf(stack);
    console.log(`teacher: ${answered} answers, ${paidTwice} of them to a request that had been answered before`);
    return differing + paidTwice;
  } finally {
    await client.connection.close();
    s3.destroy();
    await stack.stop();
  }
}

async function disturbedPair(site: Site, seeds: number[], chance: ReturnType<typeof createChance>): Promise<number> {
  const startedAt = Date.now();
  const ends = await Promise.all(seeds.map((seed) => start(site, `killed-${seed}`, seed)));
  const over = new AbortController();
  const isOver = (): boolean => over.signal.aborted;
  const all = Promise.allSettled(ends.map((handle) => whileKilled(() => handle.result()))).finally(() => {
    over.abort();
  });
  const killed: Record<string, number> = {};
  const { home } = site.stack;
  while (!isOver()) {
    // What was killed comes back first, however slow the machine: else nothing would ever be done.
    if (serviceNames.some((name) => liveRecord(home, name)?.state !== 'ready')) {
      await delay(100);
      continue;
    }
    await Promise.race([delay(chance.between(2_000, 20_000)), all]);
    if (isOver()) break;
    const victim = chance.of(victims);
    const pid = victim === 'job' ? pidOf(home, 'job') : liveRecord(home, victim)?.pid;
    if (pid === undefined) continue;
    process.kill(pid, 'SIGKILL');
    killed[victim] = (killed[victim] ?? 0) + 1;
  }
  const seconds = ((Date.now() - startedAt) / 1000).toFixed(0);
  console.log(`seeds ${seeds.join(' and ')}: both ended after ${seconds} s, killed ${JSON.stringify(killed)}`);
  let differing = 0;
  for (const seed of seeds) {
    const disturbed = await outcomeOf(site, `killed-${seed}`);
    const handle = await start(site, `undisturbed-${seed}`, seed);
    await whileKilled(() => handle.result());
    const same = disturbed === (await outcomeOf(site, `undisturbed-${seed}`));
    console.log(`  seed ${seed}: ${same ? 'same hashes, same verdicts' : `DIFFERS: ${disturbed}`}`);
    differing += same ? 0 : 1;
  }
  return differing;
}

const start = ({ client }: Site, workflowId: string, seed: number) =>
  client.workflow.start('selfImprovement', {
    taskQueue: 'ratchet',
    workflowId,
    args: [{ recipe: RECIPE, overrides: { seed, 'gates.policy': 'auto', 'reliability.maxInfrastructureRetries': 50 } }],
  });

/** Asks again while server or worker are away; the end of a run is an answer. */
const whileKilled = <Result>(ask: () => Promise<Result>): Promise<Result> =>
  pRetry(ask, {
    retries: 100,
    maxTimeout: 2_000,
    shouldRetry: ({ error }) => !(error instanceof WorkflowFailedError),
  });

/** What must not depend on kills, as text; where and how often something was tried is left out. */
async function outcomeOf({ client, store }: Site, run: string): Promise<string> {
  const state = await whileKilled(() => client.workflow.getHandle(run).query<ProgrammeState>('status'));
  const phases = state.phases.map(async ({ phase, attempt, adapter, steps, evaluations, evidence }) => ({
    phase: `${phase}${attempt}`,
    steps,
    weights: await weightsOf(store, adapter),
    verdict: evidence?.verdict,
    answers: evaluations.map(({ name, correct, items }) => `${name} ${correct} ${items.sha256}`),
  }));
  return JSON.stringify({ stage: state.stage, phases: await Promise.all(phases) });
}

async function statsOf({ env }: TestStack): Promise<TeacherStats> {
  const response = await fetch(`${env['OPENAI_BASE_URL'] ?? ''}/simulated/stats`, {
    headers: { authorization: `Bearer ${env['OPENAI_API_KEY'] ?? ''}` },
  });
  return (await response.json()) as TeacherStats;
}
