import { afterAll, beforeAll, expect, test } from 'vitest';
import { readLease } from '../../activities/checkpoints/lease.ts';
import type { Recipe } from '../../config/recipe.ts';
import type { ArtefactRef } from '../../domain/records.ts';
import { childrenOf, smallBase, smallCorpus, smallRecipe, weightsOf } from '../setup/gpu.ts';
import { startS3Proxy } from '../setup/s3-proxy.ts';
import type { S3Proxy } from '../setup/s3-proxy.ts';
import { startTrainingStack } from '../setup/training-stack.ts';
import type { TrainingStack } from '../setup/training-stack.ts';

let stack: TrainingStack;
let recipe: Recipe;
let corpus: ArtefactRef;
let proxy: S3Proxy;

/** An upload of the first attempt stays on its way until the test lets it through. */
const onItsWay = Promise.withResolvers<string>();
const letThrough = Promise.withResolvers<undefined>();
/** What the first attempt sends after its host woke up. */
const late: string[] = [];
let isAwake = false;

beforeAll(async () => {
  const base = await smallBase();
  stack = await startTrainingStack(['temporal', 's3']);
  const { phaseA } = smallRecipe(base);
  recipe = smallRecipe(base, { phaseA: { ...phaseA, epochs: 50 }, reliability: { heartbeatSeconds: 2 } });
  corpus = await stack.store.putRows('t/corpus.jsonl', smallCorpus(32));
  let isHolding = false;
  proxy = await startS3Proxy(stack.env['AWS_ENDPOINT_URL_S3'] ?? '', {
    before: async ({ method, key }) => {
      if (method !== 'PUT' || !key.includes('/epoch-0001/')) return null;
      if (isAwake) late.push(key);
      if (isHolding || !/step-0000[4-9]0\/adapter_model/.test(key)) return null;
      isHolding = true;
      onItsWay.resolve(key);
      await letThrough.promise;
      return null;
    },
  });
});
afterAll(async () => {
  proxy.stop();
  await stack.stop();
});

const start = (run: string) => stack.startSft(run, { recipe, corpus, heldOut: null, adapter: null });
const lease = async () => {
  const key = (await stack.store.objects.list('runs/zombie/')).find((each) => each.endsWith('/lease.json')) ?? '';
  return (await readLease(stack.store, key.replace('/lease.json', '')))?.record;
};

test('a host stopped in the middle of an upload wakes after its successor committed: nothing of it counts, its trainer ends', async () => {
  const extra = { AWS_ENDPOINT_URL_S3: proxy.endpoint };
  const hosts = await Promise.all(['one', 'other'].map((name) => stack.startGpuHost(name, extra)));
  const handle = await start('zombie');
  const held = await onItsWay.promise;
  const owner = Number((await lease())?.owner.split(':').at(-2));
  const zombie = hosts.find(({ pid }) => pid === owner);
  if (zombie === undefined) throw new Error(`no host has process ${owner}`);
  zombie.signalAll('SIGSTOP');
  const newest = async () => (await lease())?.checkpoints.at(-1)?.epoch;
  await expect.poll(newest, { timeout: 90_000 }).toBe(2);

  isAwake = true;
  zombie.signalAll('SIGCONT');
  letThrough.resolve(undefined);
  const [server = 0] = childrenOf(zombie.pid);
  await expect.poll(() => childrenOf(server)).toEqual([]);
  const result = await handle.result();
  expect(late).not.toContain(`${held.slice(0, held.lastIndexOf('/'))}/manifest.json`);
  // A finished training keeps its newest.
  expect((await lease())?.checkpoints.map(({ epoch }) => epoch)).toEqual([2]);
  expect(result.losses).toBe(1);
  const { adapter } = await (await start('undisturbed')).result();
  expect(await weightsOf(stack.store, result.adapter)).toBe(await weightsOf(stack.store, adapter));
}, 300_000);
