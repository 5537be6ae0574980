import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { Client } from '@temporalio/client';
import { afterEach, expect, test, vi } from 'vitest';
import { doctor, startStack, stackStatus, stopStack } from '../../infra/embedded/index.ts';
import type { Environment, StackEvent } from '../../infra/embedded/index.ts';
import { connectS3, connectTemporal } from '../../infra/embedded/probes.ts';
import { startTimeOf } from '../../infra/embedded/processes.ts';
import { listen } from '../setup/free-ports.ts';
import { ownStack } from '../setup/own-stack.ts';
import type { OwnStack } from '../setup/own-stack.ts';

const servers = ['temporal', 's3'] as const;
const opened: OwnStack[] = [];
const open = async (extra?: Record<string, string>) => {
  const stack = await ownStack(extra);
  opened.push(stack);
  return stack;
};

afterEach(async () => {
  await Promise.all(opened.splice(0).map((stack) => stack.remove()));
});

const pidOf = (home: string, name: string) => stackStatus(home).find((record) => record.name === name)?.pid ?? 0;

/** Collects events; `until` resolves at the nth of a kind from a service. */
function eventLog() {
  const events: StackEvent[] = [];
  const count = (service: string, kind: StackEvent['kind']) =>
    events.filter((event) => event.service === service && event.kind === kind).length;
  const until = (service: string, kind: StackEvent['kind'], times: number) =>
    vi.waitFor(
      () => {
        expect(count(service, kind)).toBeGreaterThanOrEqual(times);
      },
      { timeout: 30_000, interval: 50 },
    );
  return { events, until, onEvent: (event: StackEvent) => void events.push(event) };
}

/** Starts a workflow that no worker takes: it stays in the server's database. */
async function startWaitingWorkflow(env: Record<string, string>): Promise<string> {
  const { connection } = await connectTemporal(env);
  const workflowId = `waiting-${randomUUID()}`;
  await new Client({ connection }).workflow.start('nobody', { taskQueue: 'nobody', workflowId });
  await connection.close();
  return workflowId;
}

async function statusOf(env: Record<string, string>, workflowId: string): Promise<string> {
  const { connection } = await connectTemporal(env);
  const { status } = await new Client({ connection }).workflow.getHandle(workflowId).describe();
  await connection.close();
  return status.name;
}

test('servers come up with the bucket, conditional puts and search attributes; all of it survives kill -9 and down', async () => {
  const { home, env } = await open();
  const log = eventLog();
  const stack = await startStack({ env, services: servers, onEvent: log.onEvent });
  expect(stack.owned).toBe(true);
  const again = await startStack({ env, services: servers });
  expect(again.owned).toBe(false);

  const s3 = await connectS3(env);
  const object = { Bucket: 'ratchet', Key: 'runs/1/manifest.json' };
  await s3.send(new PutObjectCommand({ ...object, Body: 'first', IfNoneMatch: '*' }));
  await expect(s3.send(new PutObjectCommand({ ...object, Body: 'second', IfNoneMatch: '*' }))).rejects.toMatchObject({
    $metadata: { httpStatusCode: 412 },
  });
  const workflowId = await startWaitingWorkflow(env);

  for (const name of servers) {
    const killed = pidOf(home, name);
    process.kill(killed, 'SIGKILL');
    await log.until(name, 'ready', 2);
    expect(pidOf(home, name)).not.toBe(killed);
  }
  expect(log.events.filter((event) => event.kind === 'died').map((event) => event.text)).toEqual([
    'was ended by SIGKILL; starting it again in 0.25 s',
    'was ended by SIGKILL; starting it again in 0.25 s',
  ]);
  expect(await statusOf(env, workflowId)).toBe('RUNNING');

  const pids = stackStatus(home)
    .filter((record) => record.name !== 'supervisor')
    .map((record) => record.pid);
  expect(pids).toHaveLength(2);
  await stack.stop();
  expect(pids.map(startTimeOf)).toEqual([undefined, undefined]);
  expect(stackStatus(home)).toEqual([]);

  const second = await startStack({ env, services: servers });
  expect(await statusOf(env, workflowId)).toBe('RUNNING');
  const kept = await (await s3.send(new GetObjectCommand(object))).Body?.transformToString();
  expect(kept).toBe('first');
  const checks = await doctor(env);
  const found = Object.fromEntries(checks.map((check) => [check.name, check.ok]));
  expect(found).toMatchObject({ Node: true, temporal: true, versitygw: true, ports: true, Temporal: true, S3: true });
  // The teacher was not among the services; doctor says so, and how to get it.
  expect(checks.find((check) => check.name === 'teacher')).toMatchObject({ ok: false, fix: 'ratchet up' });
  s3.destroy();
  await second.stop();
});

test('a detached stack outlives its starter, restarts what dies, and down ends it even after its supervisor was killed', async () => {
  const { home, env } = await open();
  const log = eventLog();
  const stack = await startStack({ env, services: servers, detach: true, onEvent: log.onEvent });
  expect(stack.owned).toBe(false);
  expect(log.events.filter((event) => event.kind === 'ready')).toHaveLength(2);

  const killed = pidOf(home, 's3');
  process.kill(killed, 'SIGKILL');
  await vi.waitFor(
    () => {
      const record = stackStatus(home).find(({ name }) => name === 's3');
      expect(record).toMatchObject({ state: 'ready', running: true, restarts: 1 });
    },
    { timeout: 20_000 },
  );

  const pids = stackStatus(home).map((record) => record.pid);
  expect(pids).toHaveLength(3);
  const supervisor = pidOf(home, 'supervisor');
  process.kill(supervisor, 'SIGKILL');
  await vi.waitFor(() => {
    expect(startTimeOf(supervisor)).toBeUndefined();
  });
  expect((await stopStack(home)).sort()).toEqual(['s3', 'temporal']);
  expect(pids.map(startTimeOf)).toEqual([undefined, undefined, undefined]);
});

test('a taken port is named with its variable and its holder, and nothing is left running', async () => {
  const { home, env } = await open();
  const holder = await listen(Number(env['RATCHET_S3_PORT']));
  const failure = await startStack({ env, services: servers }).catch((error: unknown) => error);
  holder.close();
  expect(failure).toMatchObject({ name: 'StackProblem' });
  const { message, fix } = failure as { message: string; fix: string };
  expect(message).toContain(`Port ${env['RATCHET_S3_PORT'] ?? ''} for the S3 server (RATCHET_S3_PORT) is taken`);
  if (process.platform === 'linux') expect(message).toContain(`by process ${process.pid} (`);
  expect(fix).toContain('RATCHET_S3_PORT=');
  expect(stackStatus(home)).toEqual([]);
});

test('a service that cannot start is named with the end of its log, and the others are ended', async () => {
  const { home, env } = await open();
  writeFileSync(join(home, 'temporal.db'), 'this is no database\n'.repeat(1_000));
  await expect(startStack({ env, services: servers })).rejects.toThrow(
    /^temporal ended with exit code 1\.\n.*not a database/s,
  );
  expect(stackStatus(home)).toEqual([]);
});

test('down touches no process that merely has a recorded pid', async () => {
  const { home } = await open();
  mkdirSync(join(home, 'run'), { recursive: true });
  const record = { name: 's3', pid: process.pid, startTime: 'another boot 1', argv: [], ports: {}, state: 'ready' };
  writeFileSync(join(home, 'run', 's3.json'), JSON.stringify(record));
  expect(await stopStack(home)).toEqual([]);
  expect(existsSync(join(home, 'run', 's3.json'))).toBe(false);
});

test('a user who names servers of their own gets none of them embedded', async () => {
  const theirs = {
    TEMPORAL_ADDRESS: 'temporal.example:7233',
    AWS_ENDPOINT_URL: 'https://s3.example',
    OPENAI_API_KEY: 'sk-1',
  };
  const { home, env } = await open(theirs);
  const environment: Environment = env;
  expect(environment).toMatchObject({ ...theirs, RATCHET_EMBEDDED: '' });
  expect(environment['AWS_ACCESS_KEY_ID']).toBeUndefined();
  const stack = await startStack({ env, services: ['temporal', 's3', 'teacher'] });
  expect(stackStatus(home).map((record) => record.name)).toEqual(['supervisor']);
  await stack.stop();
});
