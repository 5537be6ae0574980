import { createHmac, createHash, randomUUID } from 'node:crypto';
import { readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { request } from 'node:http';
import { Client } from '@temporalio/client';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startStack, stackStatus } from '../../infra/embedded/index.ts';
import type { Stack } from '../../infra/embedded/index.ts';
import { connectTemporal } from '../../infra/embedded/probes.ts';
import { ownStack } from '../setup/own-stack.ts';
import type { OwnStack } from '../setup/own-stack.ts';

// What a web page that a person of this machine has open can have their browser send to loopback: POSTs of plain text with
// a foreign origin, and, after its name was made to lead here (DNS rebinding), anything under that name.

let own: OwnStack;
let stack: Stack;
const portsOf: Record<string, number[]> = {};

beforeAll(async () => {
  own = await ownStack();
  stack = await startStack({ env: own.env, services: ['temporal', 's3', 'teacher'] });
  for (const { name, pid } of stackStatus(own.home)) portsOf[name] = listeningPorts(pid);
});
afterAll(async () => {
  await stack.stop();
  await own.remove();
});

/** Every TCP port on which a process listens, those that nobody asked for too. */
function listeningPorts(pid: number): number[] {
  const inodes = new Set(
    readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
      try {
        return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1] ?? [];
      } catch {
        return [];
      }
    }),
  );
  return ['tcp', 'tcp6'].flatMap((table) =>
    readFileSync(`/proc/net/${table}`, 'utf8')
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
      .filter((columns) => columns[3] === '0A' && inodes.has(columns[9] ?? ''))
      .map((columns) => parseInt((columns[1] ?? '').split(':')[1] ?? '', 16)),
  );
}

type Sent = { method: string; path: string; headers: Record<string, string>; body?: string };
type Answer = { status: number; body: string; cookie: string };

/** @returns status 0 where the other side speaks no HTTP/1 */
function send(port: number, { method, path, headers, body }: Sent): Promise<Answer> {
  return new Promise((resolve) => {
    const nothing = { status: 0, body: '', cookie: '' };
    const sent = request({ host: '127.0.0.1', port, method, path, headers, timeout: 5_000 }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => {
        const cookie = (response.headers['set-cookie'] ?? []).map((one) => one.split(';')[0] ?? '').join('; ');
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString(), cookie });
      });
    });
    sent.once('timeout', () => sent.destroy());
    sent.once('error', () => {
      resolve(nothing);
    });
    sent.end(body);
  });
}

const simple = { origin: 'https://evil.example', 'content-type': 'text/plain' };
const start = JSON.stringify({ workflowType: { name: 'selfImprovement' }, taskQueue: { name: 'ratchet' } });
const workflowPath = (id: string) => `/api/v1/namespaces/default/workflows/${id}`;

async function workflows(): Promise<string[]> {
  const { connection } = await connectTemporal(own.env);
  const ids: string[] = [];
  for await (const { workflowId } of new Client({ connection }).workflow.list()) ids.push(workflowId);
  await connection.close();
  return ids;
}

test.runIf(process.platform === 'linux')(
  'a page cannot start, signal or read runs, on any port of the Temporal server',
  async () => {
    const { connection } = await connectTemporal(own.env);
    const client = new Client({ connection });
    const workflowId = `waiting-${randomUUID()}`;
    await client.workflow.start('nobody', { taskQueue: 'nobody', workflowId });

    expect(portsOf['temporal']?.length).toBeGreaterThan(3);
    for (const port of portsOf['temporal'] ?? []) {
      const renamed = { host: `evil.example:${port}` };
      const { cookie, status } = await send(port, { method: 'GET', path: '/', headers: renamed });
      const token = {
        cookie,
        'x-csrf-token': /_csrf=([^;]*)/.exec(cookie)?.[1] ?? '',
        'content-type': 'application/json',
      };
      const decide = `${workflowPath(workflowId)}/signal/decide`;
      const attacks: Sent[] = [
        { method: 'POST', path: workflowPath(`page-${port}`), headers: simple, body: start },
        { method: 'POST', path: decide, headers: simple, body: '{}' },
        { method: 'POST', path: `${workflowPath(workflowId)}/cancel`, headers: simple, body: '{}' },
        { method: 'POST', path: workflowPath(`renamed-${port}`), headers: { ...renamed, ...token }, body: start },
        { method: 'POST', path: decide, headers: { ...renamed, ...token }, body: '{}' },
        { method: 'GET', path: '/api/v1/namespaces/default/workflows', headers: renamed },
        { method: 'GET', path: '/api/v1/namespaces', headers: { ...renamed, authorization: 'Bearer x' } },
      ];
      expect(status, `GET / as evil.example on ${port}`).not.toBe(200);
      for (const attack of attacks) {
        const answer = await send(port, attack);
        expect([0, 400, 403, 404], `${attack.method} ${attack.path} on ${port}: ${answer.body}`).toContain(
          answer.status,
        );
      }
    }
    const description = await client.workflow.getHandle(workflowId).describe();
    expect(description.historyLength).toBe(2);
    await connection.close();
    await expect.poll(workflows).toEqual([workflowId]);
  },
);

test('the web UI still answers its owner by the names of this machine', async () => {
  const port = Number(own.env['RATCHET_TEMPORAL_UI_PORT']);
  for (const host of [`127.0.0.1:${port}`, `localhost:${port}`, 'localhost:9000', '[::1]:1']) {
    const answer = await send(port, { method: 'GET', path: '/api/v1/namespaces', headers: { host } });
    expect([host, answer.status]).toEqual([host, 200]);
  }
});

test.each([
  ['a foreign origin', { origin: 'https://evil.example' }],
  ['an origin that is hidden', { origin: 'null' }],
  ['a name that leads here', { host: 'evil.example' }],
])('a page cannot teach the simulated teacher, nor read it: %s', async (_name, headers: Record<string, string>) => {
  const port = Number(own.env['RATCHET_TEACHER_PORT']);
  const question = { id: '1', question: 'Is it?', answer: 'yes', facts: [], decomposition: [] };
  const body = JSON.stringify({ questions: [question] });
  const type = { 'content-type': 'text/plain' };
  const sent = await send(port, {
    method: 'POST',
    path: '/v1/simulated/questions',
    headers: { ...type, ...headers },
    body,
  });
  expect(sent.status).toBe(403);
  expect((await send(port, { method: 'GET', path: '/v1/models', headers })).status).toBe(403);
  expect((await send(port, { method: 'GET', path: '/v1/models', headers: {} })).status).toBe(200);
  const none = { method: 'POST', path: '/v1/simulated/questions', headers: type, body: '{"questions":[]}' };
  expect((await send(port, none)).body).toBe('{"known":0}');
});

/** Path of a request that is signed in its query, as a page would that knows the keys: a browser asks nobody before it. */
function presigned(method: string, path: string, query: string, host: string, secret: string): string {
  const at = new Date().toISOString().replace(/[-:]|\.\d+/g, '');
  const scope = `${at.slice(0, 8)}/us-east-1/s3/aws4_request`;
  const fields = `X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=${encodeURIComponent(`ratchet/${scope}`)}&X-Amz-Date=${at}&X-Amz-Expires=600&X-Amz-SignedHeaders=host`;
  const all = `${fields}&${query}`;
  const asked = `${method}\n${path}\n${all}\nhost:${host}\n\nhost\nUNSIGNED-PAYLOAD`;
  const text = `AWS4-HMAC-SHA256\n${at}\n${scope}\n${createHash('sha256').update(asked).digest('hex')}`;
  let key: string | Buffer = `AWS4${secret}`;
  for (const part of scope.split('/')) key = createHmac('sha256', key).update(part).digest();
  return `${path}?${all}&X-Amz-Signature=${createHmac('sha256', key).update(text).digest('hex')}`;
}

test('a page cannot write into the bucket, because it does not know the key of this home', async () => {
  const port = Number(own.env['RATCHET_S3_PORT']);
  const upload = async (secret: string, host: string) => {
    const path = presigned('POST', '/ratchet/page', 'uploads=', host, secret);
    return (await send(port, { method: 'POST', path, headers: { ...simple, host } })).status;
  };
  for (const host of [`127.0.0.1:${port}`, `evil.example:${port}`]) {
    expect(await upload('ratchet-on-this-machine', host), host).toBe(403);
  }
  // That it is the key, and not the request, that is refused.
  expect(await upload(own.env['AWS_SECRET_ACCESS_KEY'] ?? '', `127.0.0.1:${port}`)).toBe(200);
  const { status } = await send(port, { method: 'POST', path: '/ratchet', headers: simple, body: 'x' });
  expect(status).toBeGreaterThanOrEqual(400);
});
