import { globSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { setTimeout as delay } from 'node:timers/promises';
import type { Recipe } from '../config/recipe.ts';
import type { MetricsRow } from '../activities/training/metrics-log.ts';
import { readLease } from '../activities/checkpoints/lease.ts';
import type { LeaseRecord } from '../activities/checkpoints/lease.ts';
import { readParts } from '../activities/checkpoints/metrics-parts.ts';
import type { ArtefactRef } from '../domain/records.ts';
import { smallBase, smallCorpus, smallRecipe } from '../test/setup/gpu.ts';
import type { GpuHost } from '../test/setup/gpu-host.ts';
import { startTrainingStack } from '../test/setup/training-stack.ts';
import type { TrainingStack } from '../test/setup/training-stack.ts';

export const about =
  'seconds from SIGKILL of a gpu worker to the first new step of a warm spare, beyond the heartbeat timeout';

/** One kill: seconds from it to the spare's first step, and to the first step beyond the highest one reached before. */
type Recovery = { toFirstStep: number; toNewGround: number; stepsRedone: number };

/** Prints each kill, and last the worst median, over the timeouts, of (seconds to the first new step − timeout). */
export async function measure(args: string[]): Promise<void> {
  const options = { kills: { type: 'string', default: '4' }, timeouts: { type: 'string', default: '5,30' } } as const;
  const { values } = parseArgs({ args, options });
  const stack = await startTrainingStack(['temporal', 's3']);
  try {
    const corpus = await stack.store.putRows('bench/corpus.jsonl', smallCorpus(32));
    const beyond: number[] = [];
    for (const timeout of values.timeouts.split(',').map(Number)) {
      const recoveries = await recover(stack, corpus, timeout, Number(values.kills));
      const seconds = median(recoveries.map(({ toFirstStep }) => toFirstStep));
      const redone = Math.max(...recoveries.map(({ stepsRedone }) => stepsRedone));
      const ground = median(recoveries.map(({ toNewGround }) => toNewGround)).toFixed(2);
      console.log(
        `timeout ${timeout} s: median ${seconds.toFixed(2)} s to the first new step, ${ground} s until past the highest ` +
          `step reached; at most ${redone} steps redone, checkpoints every ${CHECKPOINT_EVERY}`,
      );
      beyond.push(seconds - timeout);
    }
    console.log('worst median of seconds beyond the heartbeat timeout:');
    console.log(Math.max(...beyond).toFixed(2));
  } finally {
    await stack.stop();
  }
}

const CHECKPOINT_EVERY = 20;
const median = (values: number[]): number => {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? (sorted[middle] ?? 0) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
};

/** One long training; each time its host is killed, a warm spare waits. */
async function recover(stack: TrainingStack, corpus: ArtefactRef, timeout: number, kills: number): Promise<Recovery[]> {
  const run = `recovery-${timeout}`;
  const newHost = (index: number) => stack.startGpuHost(`${run}-host-${index}`);
  const hosts: GpuHost[] = await Promise.all([newHost(0), newHost(1)]);
  const input = { recipe: await longRecipe(timeout), corpus, heldOut: null, adapter: null };
  const handle = await stack.startSft(run, input);
  const recoveries: Recovery[] = [];
  for (let kill = 0; kill < kills; kill += 1) {
    const before = await untilTraining(stack, run, kill + 1);
    const busy = hosts.find(({ pid }) => pid === ownerOf(before)) ?? hosts[0];
    const told = (await stack.progress(run))?.done ?? 0;
    const killedAt = Date.now() / 1000;
    busy?.signalAll('SIGKILL');
    // The last heartbeat is up to a second old; a checkpoint on the dead host's disk may say more.
    const reached = Math.max(told, busy === undefined ? 0 : newestOnDisk(busy));
    const after = await untilTraining(stack, run, kill + 2);
    const rows = await metricsOf(stack, run, after);
    const fresh = rows.filter(({ time }) => time > killedAt);
    const [first] = fresh;
    const beyond = fresh.find(({ step }) => step > reached);
    if (!first || !beyond) throw new Error(`${run}: no step is told after kill ${kill + 1}`);
    const recovery = {
      toFirstStep: first.time - killedAt,
      toNewGround: beyond.time - killedAt,
      stepsRedone: Math.max(0, reached - first.step + 1),
    };
    console.log(`  kill ${kill + 1} at step ${reached}: ${JSON.stringify(recovery, rounded)}`);
    recoveries.push(recovery);
    if (kill + 1 < kills) hosts.push(await newHost(kill + 2));
  }
  await handle.cancel();
  await handle.result().catch(() => undefined);
  await Promise.all(hosts.map((host) => host.end()));
  return recoveries;
}

const rounded = (_: string, value: unknown): unknown => (typeof value === 'number' ? Number(value.toFixed(2)) : value);

async function longRecipe(heartbeatSeconds: number): Promise<Recipe> {
  const base = await smallBase();
  const { phaseA } = smallRecipe(base);
  const training = { ...phaseA, epochs: 20_000, checkpointEverySteps: CHECKPOINT_EVERY };
  return smallRecipe(base, { phaseA: training, reliability: { heartbeatSeconds } });
}

const prefixOf = async (stack: TrainingStack, run: string): Promise<string | undefined> =>
  (await stack.store.objects.list(`runs/${run}/`))
    .find((key) => key.endsWith('/lease.json'))
    ?.replace('/lease.json', '');

/** Resolves with the lease when the attempt of this epoch has committed a checkpoint of its own, and then some steps. */
async function untilTraining(stack: TrainingStack, run: string, epoch: number): Promise<LeaseRecord> {
  for (;;) {
    const prefix = await prefixOf(stack, run);
    const lease = prefix === undefined ? null : await readLease(stack.store, prefix);
    const own = lease?.record.checkpoints.filter((checkpoint) => checkpoint.epoch === epoch) ?? [];
    if (lease && own.length >= 2) return lease.record;
    await delay(100);
  }
}

/** Step of the newest checkpoint that a host wrote. */
const newestOnDisk = ({ home }: GpuHost): number =>
  Math.max(0, ...globSync(`${home}/work/**/step-*`).map((path) => Number(/step-(\d+)$/.exec(path)?.[1] ?? 0)));

/** `host:pid:random` of a lease. */
const ownerOf = ({ owner }: LeaseRecord): number => Number(owner.split(':').at(-2));

/** Step events up to the newest checkpoint, those of the attempts before as they counted. */
async function metricsOf(stack: TrainingStack, run: string, { checkpoints }: LeaseRecord): Promise<MetricsRow[]> {
  return readParts<MetricsRow>(stack.store, (await prefixOf(stack, run)) ?? '', checkpoints.at(-1)?.metrics ?? []);
}
