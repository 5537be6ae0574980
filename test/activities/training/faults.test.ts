import { execFileSync } from 'node:child_process';
import { globSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { GpuActivities } from '../../../activities/contract.ts';
import { createS3Client } from '../../../activities/store/client.ts';
import { createStore } from '../../../activities/store/store.ts';
import type { Store } from '../../../activities/store/store.ts';
import type { TrainerServer } from '../../../activities/training/trainer-server.ts';
import type { Recipe } from '../../../config/recipe.ts';
import type { ArtefactRef } from '../../../domain/records.ts';
import { newHost, smallRecipe, startActivity, weightsOf } from '../../setup/gpu.ts';
import type { TestHost } from '../../setup/gpu.ts';
import { startS3Proxy } from '../../setup/s3-proxy.ts';
import type { S3Proxy } from '../../setup/s3-proxy.ts';
import type { TestS3 } from '../../setup/s3.ts';
import { startTrainingRig } from '../../setup/training-rig.ts';
import type { TrainingRig } from '../../setup/training-rig.ts';

type SftInput = Parameters<GpuActivities['trainSft']>[0];

let rig: TrainingRig;
let s3: TestS3;
let store: Store;
let trainer: TrainerServer;
let recipe: Recipe;
let corpus: ArtefactRef;
let undisturbed: string;
/** What the proxy says to every request in place of S3; null = S3 answers. */
let refusal: string | null = null;
let proxy: S3Proxy;

beforeAll(async () => {
  rig = await startTrainingRig();
  ({ s3, store, trainer, corpus } = rig);
  proxy = await startS3Proxy(s3.surroundings.s3.endpoint ?? '', { before: () => refusal });
  recipe = smallRecipe(rig.base, { reliability: { heartbeatSeconds: 1, outageMinutes: 0 } });
  undisturbed = await weightsOf(store, (await training('undisturbed', newHost(s3, trainer)).result).adapter);
});
afterAll(async () => {
  proxy.stop();
  await rig.stop();
});

function training(run: string, host: TestHost, reliability: Partial<Recipe['reliability']> = {}) {
  const changed = { ...recipe, reliability: { ...recipe.reliability, ...reliability } };
  const scope = { run, phase: 'A', attempt: 1 } as const;
  const input: SftInput = { scope, recipe: changed, phase: 'A', corpus, heldOut: null, adapter: null };
  return startActivity((given: SftInput) => host.activities.trainSft(given), input);
}
/** A store that is refused, or hears nothing, as soon as the test says so; it does not ask twice. */
function touchyStore(): Store {
  const client = createS3Client({ ...s3.surroundings.s3, endpoint: proxy.endpoint }, 1, 500);
  return createStore({ client, bucket: s3.surroundings.bucket, cacheDir: s3.newFolder() });
}
const failsAs = (type: string, fix: RegExp): unknown =>
  expect.objectContaining({ type, message: expect.stringMatching(fix) as string });
/** The end that waits on the host goes to S3 without another step. */
async function expectNothingTrainedAgain(run: string, host: TestHost): Promise<void> {
  const again = training(run, host);
  const result = await again.result;
  expect(again.beats.every(({ done }) => done === 0)).toBe(true);
  expect(result).toMatchObject({ steps: 120, stepsRedone: 0 });
  expect(await weightsOf(store, result.adapter)).toBe(undisturbed);
}

type Fault = { name: string; type: string; fix: RegExp; begin: () => void; end: () => void };
const away: Fault = {
  name: 'S3 away',
  type: 'StorageUnavailable',
  fix: /AWS_ENDPOINT_URL_S3/,
  begin: () => process.kill(s3.pid(), 'SIGSTOP'),
  end: () => process.kill(s3.pid(), 'SIGCONT'),
};
const noBucket: Fault = {
  name: 'the bucket gone',
  type: 'BucketMissing',
  fix: /aws s3 mb/,
  begin: () => {
    renameSync(join(s3.home, 's3', 'ratchet'), join(s3.home, 'aside'));
  },
  end: () => {
    renameSync(join(s3.home, 'aside'), join(s3.home, 's3', 'ratchet'));
  },
};
const expired: Fault = {
  name: 'credentials expired',
  type: 'CredentialsRefused',
  fix: /AWS_SESSION_TOKEN \(expired\?\)/,
  begin: () => (refusal = 'ExpiredToken'),
  end: () => (refusal = null),
};

test.each([away, noBucket, expired])(
  '$name from the middle of a training on: trained to the end, named, and nothing is trained again',
  async ({ name, type, fix, begin, end }) => {
    const run = `without-${name.replaceAll(' ', '-')}`;
    const host = newHost(s3, trainer, touchyStore());
    const first = training(run, host);
    await first.until(({ checkpointStep }) => (checkpointStep ?? 0) >= 20);
    begin();
    await expect(first.result.finally(end)).rejects.toEqual(failsAs(type, fix));
    await expectNothingTrainedAgain(run, host);
  },
);

test.each([away, expired])('$name at the end of a training: its result waits, and gets there', async (fault) => {
  const patient = touchyStore();
  const { putFile } = patient.objects;
  let sent = 0;
  patient.objects.putFile = (key, ...rest) => {
    if (key.endsWith('/adapter/adapter_model.safetensors')) sent += 1;
    // The second time that the adapter is sent: the first one met nobody.
    if (sent === 2 && isBroken) repair();
    return putFile(key, ...rest);
  };
  let isBroken = false;
  const repair = (): void => {
    isBroken = false;
    fault.end();
  };
  const attempt = training(`patient-${fault.name.replaceAll(' ', '-')}`, newHost(s3, trainer, patient), {
    outageMinutes: 1,
  });
  await attempt.until(({ checkpointStep }) => (checkpointStep ?? 0) >= 20);
  fault.begin();
  isBroken = true;
  const result = await attempt.result.finally(() => {
    if (isBroken) repair();
  });
  expect(sent).toBeGreaterThanOrEqual(2);
  expect(result).toMatchObject({ losses: 0, stepsRedone: 0 });
  expect(await weightsOf(store, result.adapter)).toBe(undisturbed);
});

/** A small file system of its own; null where mounting is not permitted. */
function smallDisk(): { path: string; unmount: () => void } | null {
  const path = s3.newFolder();
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'none', path], { stdio: 'ignore' });
  } catch {
    return null;
  }
  return { path, unmount: () => execFileSync('umount', [path]) };
}

test('the disk full in the middle of a training: named, and another host goes on', async ({ skip }) => {
  const disk = smallDisk();
  if (disk === null) return skip('mounting a small file system is not permitted here');
  try {
    const first = training('full', newHost(s3, trainer, s3.newStore(), { workDir: disk.path }));
    await first.until(({ checkpointStep }) => (checkpointStep ?? 0) >= 20);
    expect(() => {
      writeFileSync(join(disk.path, 'filler'), Buffer.alloc(8 * 1024 * 1024));
    }).toThrow(/ENOSPC/);
    await expect(first.result).rejects.toEqual(failsAs('DiskFull', /[Ff]ree/));
    expect(globSync(`${disk.path}/**/.step-*`)).toEqual([]);
  } finally {
    disk.unmount();
  }
  const result = await training('full', newHost(s3, trainer)).result;
  expect(result.losses).toBe(1);
  expect(await weightsOf(store, result.adapter)).toBe(undisturbed);
});
