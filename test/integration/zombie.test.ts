import { afterAll, beforeAll, expect, test } from 'vitest';
import { readLease } from '../../activities/checkpoints/lease.ts';
import type { Recipe } from '../../config/recipe.ts';
import type { ArtefactRef } from '../../domain/records.ts';
import { childrenOf, smallBase, smallCorpus, smallRecipe, weightsOf } from '../setup/gpu.ts';
import { startS3Proxy } from '../setup/s3-proxy.ts';
import { startGpuHost, startTrainingStack } from '../setup/training-stack.ts';
import type { GpuHost, TrainingStack } from '../setup/training-stack.ts';

let stack: TrainingStack;
let recipe: Recipe;
let corpus: ArtefactRef;

beforeAll(async () => {
  const base = await smallBase();
  stack = await startTrainingStack(['temporal', 's3']);
  const { phaseA } = smallRecipe(base);
  recipe = smallRecipe(base, { phaseA: { ...phaseA, epochs: 50 }, reliability: { heartbeatSeconds: 2 } });
  corpus = await stack.store.putRows('t/corpus.jsonl', smallCorpus(32));
});
afterAll(() => stack.stop());

const start = (run: string) => stack.startSft(run, { recipe, corpus, heldOut: null, adapter: null });

/** Every process of a host stops, or goes on, as when a hypervisor pauses it. */
function signalAll({ pid }: GpuHost, signal: 'SIGSTOP' | 'SIGCONT'): void {
  const below = (parent: number): number[] => childrenOf(parent).flatMap((child) => [child, ...below(child)]);
  for (const one of [pid, ...below(pid)]) process.kill(one, signal);
}

test('a host that is stopped in the middle of an upload and wakes after its successor committed changes nothing', async () => {
  // The first attempt's second checkpoint stays on its way until the test lets it through.
  const asleep = Promise.withResolvers<undefined>();
  const woken = Promise.withResolvers<undefined>();
  const late: string[] = [];
  let isAwake = false;
  const proxy = await startS3Proxy(stack.env['AWS_ENDPOINT_URL_S3'] ?? '', {
    before: async ({ method, key }) => {
      if (isAwake && method === 'PUT' && key.includes('/epoch-0001/')) late.push(key);
      if (method !== 'PUT' || !/epoch-0001\/step-000040\/adapter_model/.test(key)) return null;
      asleep.resolve(undefined);
      await woken.promise;
      return null;
    },
  });
  const hosts = await Promise.all(
    ['one', 'other'].map((name) => startGpuHost(stack, name, { AWS_ENDPOINT_URL_S3: proxy.endpoint })),
  );
  const handle = await start('zombie');
  const lease = async () => {
    const key = (await stack.store.objects.list('runs/zombie/')).find((each) => each.endsWith('/lease.json')) ?? '';
    return (await readLease(stack.store, key.replace('/lease.json', '')))?.record;
  };
  await asleep.promise;
  const owner = Number((await lease())?.owner.split(':').at(-2));
  const zombie = hosts.find(({ pid }) => pid === owner);
  if (zombie === undefined) throw new Error(`no host has process ${owner}`);
  signalAll(zombie, 'SIGSTOP');
  const committed = async () => (await lease())?.checkpoints.at(-1)?.epoch;
  await expect.poll(committed, { timeout: 90_000 }).toBe(2);

  isAwake = true;
  signalAll(zombie, 'SIGCONT');
  woken.resolve(undefined);
  const [server = 0] = childrenOf(zombie.pid);
  await expect.poll(() => childrenOf(server)).toEqual([]);
  const result = await handle.result();
  expect(late.filter((key) => key.endsWith('/manifest.json'))).toEqual([]);
  expect((await lease())?.epoch).toBe(2);
  expect(result.losses).toBe(1);
  expect(await weightsOf(stack.store, result.adapter)).toBe(
    await weightsOf(stack.store, (await (await start('undisturbed')).result()).adapter),
  );
  for (const host of hosts) host.kill('SIGTERM');
  await Promise.all(hosts.map(({ ended }) => ended));
  proxy.stop();
});
