import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { Client, Connection } from '@temporalio/client';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createProgrammes } from '../../cli/temporal/programmes.ts';
import { checkSearchAttributes, ensureSearchAttributes } from '../../infra/embedded/search-attributes.ts';
import { startTestStack } from '../setup/stack.ts';

let stack: Awaited<ReturnType<typeof startTestStack>>;
let connection: Connection;
const said: string[] = [];
const say = (text: string): void => void said.push(text);
const KEYWORD = 2;
const INT = 3;

beforeAll(async () => {
  stack = await startTestStack(['temporal', 's3']);
  connection = await Connection.connect({ address: stack.env['TEMPORAL_ADDRESS'] ?? '' });
});
afterAll(async () => {
  await connection.close();
  await stack.stop();
});

/** A namespace of its own, with these attributes. */
async function namespaceWith(namespace: string, searchAttributes: Record<string, 2 | 3>): Promise<string> {
  const day = { seconds: 86_400 as never };
  await connection.workflowService.registerNamespace({ namespace, workflowExecutionRetentionPeriod: day });
  const listed = () => connection.operatorService.listSearchAttributes({ namespace });
  const settled = { timeout: 60_000, interval: 100 };
  await expect
    .poll(
      () =>
        listed().then(
          () => true,
          () => false,
        ),
      settled,
    )
    .toBe(true);
  if (Object.keys(searchAttributes).length > 0) {
    await connection.operatorService.addSearchAttributes({ namespace, searchAttributes });
    const names = Object.keys(searchAttributes);
    await expect
      .poll(async () => Object.keys((await listed()).customAttributes), settled)
      .toEqual(expect.arrayContaining(names));
  }
  return namespace;
}

/** The server's own limit: no more than ten of a type. */
const full = Object.fromEntries(Array.from({ length: 10 }, (_, index) => [`Other${String(index)}`, KEYWORD] as const));

const create = (namespace: string, names: string) =>
  `temporal operator search-attribute create --namespace ${namespace} --type Keyword ${names}`;
const all = '--name RatchetPhase --name RatchetGate --name RatchetRecipe';

test('what is missing is made, and said', async () => {
  const namespace = await namespaceWith('bare', { RatchetGate: KEYWORD });
  await expect(checkSearchAttributes(connection.operatorService, namespace)).rejects.toMatchObject({
    message: 'search attributes missing in namespace bare: RatchetPhase, RatchetRecipe',
    fix: create(namespace, '--name RatchetPhase --name RatchetRecipe'),
  });
  await Promise.all([1, 2, 3].map(() => ensureSearchAttributes(connection.operatorService, namespace, say)));
  expect(said).toContain('made search attributes in namespace bare: RatchetPhase, RatchetRecipe');
  await checkSearchAttributes(connection.operatorService, namespace);
});

test('what cannot be made is refused with the command, by doctor, ratchet run and ratchet ablate alike', async () => {
  const namespace = await namespaceWith('full', full);
  const problem = { name: 'StackProblem', fix: create(namespace, all) };
  const client = new Client({ connection, namespace });
  const programmes = createProgrammes(client, () => Promise.resolve());
  // At once: the client asks a server that cannot for some seconds.
  await Promise.all([
    expect(programmes.start('r', { recipe: 'demo' })).rejects.toMatchObject(problem),
    expect(programmes.startAblation('r', { recipe: 'demo' })).rejects.toMatchObject(problem),
  ]);
  await expect(client.workflow.getHandle('r').describe()).rejects.toThrow(/not found/u);
  // What doctor shows.
  await expect(checkSearchAttributes(connection.operatorService, namespace)).rejects.toMatchObject(problem);
});

test('an attribute of another type is refused: it would fail the same way', async () => {
  const namespace = await namespaceWith('typed', { RatchetPhase: INT });
  const remove = 'temporal operator search-attribute remove --namespace typed --name RatchetPhase';
  await expect(ensureSearchAttributes(connection.operatorService, namespace, say)).rejects.toMatchObject({
    message: 'search attributes in namespace typed are not of type Keyword: RatchetPhase',
    fix: `${remove} && ${create(namespace, '--name RatchetPhase')}`,
  });
});

test.each([
  ['denies it', 7],
  ['does not have it', 12],
  ['knows nobody', 16],
])('a server that %s is believed to have them, with a word', async (_, status) => {
  const server = createServer((_request, response) => {
    response.stream.respond(
      { ':status': 200, 'content-type': 'application/grpc', 'grpc-status': String(status), 'grpc-message': 'no' },
      { endStream: true },
    );
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const odd = Connection.lazy({ address: `127.0.0.1:${String(port)}` });
  await ensureSearchAttributes(odd.operatorService, 'cloud', say);
  expect(said.at(-1)).toMatch(/^the search attributes of namespace cloud could not be looked at/u);
  await odd.close();
  server.close();
});

/** The orchestrator as a process on a namespace; resolves with what it said when it has polled or ended. */
function orchestrator(namespace: string): Promise<{ log: string; end: () => void }> {
  const env = { ...process.env, ...stack.env, TEMPORAL_NAMESPACE: namespace };
  const child = spawn(process.execPath, ['workers/orchestrator.ts'], { env, stdio: ['ignore', 'ignore', 'pipe'] });
  let log = '';
  return new Promise((resolve) => {
    const done = () => {
      resolve({ log, end: () => child.kill('SIGTERM') });
    };
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      log += text;
      if (log.includes('polling task queue')) done();
    });
    child.on('exit', (code) => {
      log += `exit ${String(code)}`;
      done();
    });
  });
}

test('a worker of workflows does not poll where they would be stuck, and says what to do', async () => {
  const { log } = await orchestrator(await namespaceWith('full-too', full));
  expect(log).toContain(`fix: ${create('full-too', all)}`);
  expect(log).not.toContain('polling task queue');
  expect(log).toMatch(/exit 1$/u);
});

test('where it may it makes them, and a run on the new namespace ends as it should', async () => {
  const namespace = await namespaceWith('fresh', {});
  const { log, end } = await orchestrator(namespace);
  expect(log).toContain('made search attributes in namespace fresh: RatchetPhase, RatchetGate, RatchetRecipe');
  const client = new Client({ connection, namespace });
  const run = await client.workflow.start('selfImprovement', { taskQueue: 'ratchet', workflowId: 'empty', args: [] });
  await expect(run.result()).rejects.toMatchObject({ cause: { type: 'InvalidRecipe' } });
  end();
});
