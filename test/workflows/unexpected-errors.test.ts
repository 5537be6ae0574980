import { CompleteAsyncError } from '@temporalio/activity';
import { Client, Connection, WorkflowFailedError } from '@temporalio/client';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { bundleWorkflowCode, DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { failure } from '../../activities/failure.ts';
import { listedFailure } from '../../activities/unexpected.ts';
import { invalid } from '../../domain/invalid.ts';
import { workerOptions } from '../../workers/process.ts';
import { startTestStack } from '../setup/stack.ts';
import type { Tried, tryKinds, tryMissing, tryOrchestrator } from './try-activities.ts';

const circle = new Error('a circle');
circle.cause = circle;

const system = (code: string, more: object = {}): Error => Object.assign(new Error(`${code}: no`), { code, ...more });
const abort = (): Error => new DOMException('This operation was aborted', 'AbortError');

/** What an activity throws, and how that ends for the workflow. A new case is one line. */
const thrown: Record<string, { throws: () => unknown; says: string | RegExp; type?: string; attempts?: number }> = {
  TypeError: { throws: () => new TypeError('x is not a function'), says: 'TypeError: x is not a function' },
  ZodError: { throws: () => z.string().safeParse(1).error, says: /^ZodError: [^]*expected string/u },
  SyntaxError: { throws: () => new SyntaxError('Unexpected end of JSON input'), says: 'SyntaxError: Unexpected end' },
  'a plain Error': { throws: () => new Error('odd'), says: 'Error: odd' },
  'no message': { throws: () => new Error(), says: 'Error: without a message' },
  EACCES: {
    throws: () => system('EACCES', { path: '/w/x' }),
    says: 'Fix: let the user of the worker read and write /w/x',
  },
  EMFILE: { throws: () => system('EMFILE'), says: 'Fix: raise the limit of open files of the worker (ulimit -n)' },
  ECONNRESET: { throws: () => system('ECONNRESET'), says: 'Error: ECONNRESET: no' },
  ENOSPC: { throws: () => system('ENOSPC'), says: 'no space left on this host', type: 'DiskFull' },
  'ENOSPC as a cause': {
    throws: () => new Error('upload failed', { cause: new AggregateError([system('EDQUOT')]) }),
    says: 'no space left on this host',
    type: 'DiskFull',
  },
  'a string': { throws: () => 'just words', says: 'Error: just words' },
  null: { throws: () => null, says: 'Error: null' },
  undefined: { throws: () => undefined, says: 'Error: undefined' },
  'an object': { throws: () => ({ odd: true }), says: 'Error: without a message' },
  'a circle of causes': { throws: () => circle, says: 'Error: a circle' },
  'a getter that throws': {
    throws: () =>
      Object.defineProperty(new Error(), 'message', {
        get: () => {
          throw new Error('worse');
        },
      }),
    says: 'Error: without a message',
  },
  'a message of a million characters': { throws: () => new Error('m'.repeat(1e6)), says: /^Error: m{2000}… \(in/u },
  'an unlisted ApplicationFailure': {
    throws: () => ApplicationFailure.nonRetryable('they say', 'TheirOwn'),
    says: 'TheirOwn: they say',
  },
  'a type that is a name of every object': {
    throws: () => ApplicationFailure.nonRetryable('hm', 'constructor'),
    says: 'constructor: hm',
  },
  'an abort that nobody asked for': { throws: abort, says: 'AbortError: This operation was aborted' },
  'a cancellation that nobody asked for': { throws: () => new CancelledFailure('why'), says: 'CancelledFailure: why' },
  'a listed retryable': {
    throws: () => failure('StorageUnavailable', 'S3 is away'),
    says: /^S3 is away$/u,
    type: 'StorageUnavailable',
  },
  'a listed permanent': {
    throws: () => failure('TeacherRejected', 'no'),
    says: /^no$/u,
    type: 'TeacherRejected',
    attempts: 1,
  },
  'a listed name': {
    throws: () => invalid('InvalidData', 'bad row'),
    says: /^bad row$/u,
    type: 'InvalidData',
    attempts: 1,
  },
};
/** What cannot be sent back is an error of the SDK, after the activity. */
const unsendable: Record<string, unknown> = { 'a bigint': 1n, 'a circle': { circle: circle as unknown } };
(unsendable['a circle'] as { self?: unknown }).self = unsendable['a circle'];

const retries = 2;
const attempts = new Map<string, number>();
const count = (key: string): number => {
  attempts.set(key, (attempts.get(key) ?? 0) + 1);
  return attempts.get(key) ?? 0;
};

function answer(activity: string, kind: string): unknown {
  const tried = count(`${activity} ${kind}`);
  if (kind === 'a preemption' && tried < 9) throw failure('GpuLost', 'preempted');
  if (kind in unsendable) return unsendable[kind];
  if (kind in thrown) throw thrown[kind]?.throws();
  return { gpuSeconds: 1 };
}

let stack: Awaited<ReturnType<typeof startTestStack>>;
let client: Client;
let native: NativeConnection;
let workers: Worker[];
let running: Promise<void>[];
const outcomes = new Map<string, Tried[]>();

beforeAll(async () => {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  stack = await startTestStack(['temporal']);
  const address = stack.env['TEMPORAL_ADDRESS'] ?? '';
  client = new Client({ connection: await Connection.connect({ address }) });
  native = await NativeConnection.connect({ address });
  const workflowBundle = await bundleWorkflowCode({
    workflowsPath: new URL('try-activities.ts', import.meta.url).pathname,
    logger: new DefaultLogger('ERROR'),
  });
  const of = (taskQueue: string, activities: object) =>
    Worker.create({ connection: native, ...workerOptions({ taskQueue, activities, workflowBundle, graceMs: 0 }) });
  const by = (name: string) => ({ [name]: async (input: { kind: string }) => answer(name, input.kind) });
  workers = await Promise.all([
    of('ratchet', { loadState: async ({ run }: { run: string }) => answer('loadState', run) }),
    of('ratchet-gpu', by('evaluate')),
    of('ratchet-api', { ...by('lookAtBatches'), ...by('collectBatch') }),
  ]);
  running = workers.map((worker) => worker.run());
  const kinds = [...Object.keys(thrown), ...Object.keys(unsendable), 'a preemption'];
  const ended = await client.workflow.execute<typeof tryKinds>('tryKinds', {
    ...{ taskQueue: 'ratchet', workflowId: 'kinds', args: [{ kinds, retries }] },
  });
  kinds.forEach((kind, index) => outcomes.set(kind, ended[index] ?? []));
});
afterAll(async () => {
  for (const worker of workers) worker.shutdown();
  await Promise.all(running);
  await client.connection.close();
  await native.close();
  await stack.stop();
});

const on = ['evaluate', 'lookAtBatches', 'collectBatch'] as const;

describe.each(Object.entries(thrown))(
  '%s out of an activity',
  (kind, { says, type = 'Unexpected', attempts: most }) => {
    test.each(on)('%s is named, counted and ends', (activity) => {
      const outcome = outcomes.get(kind)?.[on.indexOf(activity)];
      expect(outcome?.type).toBe(type);
      if (typeof says === 'string') expect(outcome?.message).toContain(says);
      else expect(outcome?.message).toMatch(says);
      // A look at batches is the caller's to repeat while the provider is away.
      const looks = activity === 'lookAtBatches' && type !== 'Unexpected' ? 1 : retries + 1;
      expect(attempts.get(`${activity} ${kind}`)).toBe(most ?? looks);
      if (type !== 'Unexpected') return;
      expect(outcome?.message).toContain('This is a fault of ratchet or of its host, not of the recipe. Fix: ');
      expect(outcome?.message).toContain(`(in ${activity})`);
    });
  },
);

test.each(Object.keys(unsendable))('%s that cannot be sent back is counted and ends', (kind) => {
  for (const [index, activity] of on.entries()) {
    expect(outcomes.get(kind)?.[index]?.type).not.toBeNull();
    expect(attempts.get(`${activity} ${kind}`)).toBe(retries + 1);
  }
});

test('a preemption is nobody’s fault: it is tried again without a count', () => {
  expect(outcomes.get('a preemption')?.[0]).toMatchObject({ type: null, answer: { gpuSeconds: 1 } });
  expect(attempts.get('evaluate a preemption')).toBe(9);
});

test('an activity that its worker does not have is counted and ends', async () => {
  const outcome = await client.workflow.execute<typeof tryMissing>('tryMissing', {
    ...{ taskQueue: 'ratchet', workflowId: 'missing', args: [{ retries: 1 }] },
  });
  expect(outcome).toMatchObject({ type: 'NotFoundError' });
  expect(outcome.message).toContain('cancelBatches is not registered');
});

test('the orchestrator’s own policy bounds its activities, and sees the type', async () => {
  const run = await client.workflow.start<typeof tryOrchestrator>('tryOrchestrator', {
    ...{ taskQueue: 'ratchet', workflowId: 'orchestrator', args: [{ kind: 'TypeError' }] },
  });
  const pending = async () => (await run.describe()).raw.pendingActivities?.[0];
  await expect.poll(async () => (await pending())?.attempt ?? 0).toBeGreaterThan(1);
  const now = await pending();
  expect(now?.maximumAttempts).toBe(20);
  expect(now?.lastFailure?.applicationFailureInfo?.type).toBe('Unexpected');
  await run.terminate();
  await expect(run.result()).rejects.toBeInstanceOf(WorkflowFailedError);
});

test('what has a meaning of its own passes untouched', () => {
  const listed = failure('LeaseLost', 'another has it');
  const cancelled = new CancelledFailure('cancelled');
  const later = new CompleteAsyncError();
  expect(listedFailure(listed, 'trainSft', false)).toBe(listed);
  expect(listedFailure(later, 'trainSft', false)).toBe(later);
  expect(listedFailure(cancelled, 'trainSft', true)).toBe(cancelled);
  const aborted = abort();
  expect(listedFailure(aborted, 'trainSft', true)).toBe(aborted);
  expect(listedFailure(new TypeError('x'), 'trainSft', true)).toMatchObject({ type: 'Unexpected' });
});
