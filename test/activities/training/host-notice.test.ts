import { afterEach, expect, test } from 'vitest';
import { createLog } from '../../../activities/logging.ts';
import { watchHost } from '../../../activities/training/host-notice.ts';
import type { HostWatch } from '../../../activities/training/host-notice.ts';
import { freePorts } from '../../setup/free-ports.ts';
import { startMetadataServer } from '../../setup/metadata-server.ts';
import type { MetadataServer } from '../../setup/metadata-server.ts';

const cleanUp: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const end of cleanUp.splice(0)) await end();
});

const serverAt = async (port?: number): Promise<MetadataServer> => {
  const server = await startMetadataServer(port);
  cleanUp.push(server.stop);
  return server;
};

/** Watches until the end of the test; `noticed` resolves with the cloud's word, `warned` with the first warning. */
function watching(cloud: HostWatch['cloud'], host: string) {
  const warnings: string[] = [];
  let warn = (): void => undefined;
  const warned = new Promise<void>((resolve) => (warn = resolve));
  const log = createLog({ service: 'test', level: 'error' }).child({});
  log.warn = ((message: string) => {
    warnings.push(message);
    warn();
    return log;
  }) as typeof log.warn;
  const noticed = new Promise<string>((onNotice) => {
    const addresses = { aws: `http://${host}`, gcp: `http://${host}` };
    cleanUp.unshift(watchHost({ cloud, addresses, onNotice, log, everyMs: 20 }));
  });
  return { noticed, warned, warnings };
}

test.each([
  ['aws', 'AWS will terminate this host at 2026-11-21T14:00:00Z', 'GET /latest/meta-data/spot/instance-action'],
  ['gcp', 'Google Cloud is preempting this host', 'GET /computeMetadata/v1/instance/preempted'],
] as const)('%s: a notice that comes later is heard', async (cloud, words, question) => {
  const server = await serverAt();
  const { noticed, warnings } = watching(cloud, server.host);
  // Asked a second time, so there was an answer that said nothing.
  await expect.poll(() => server.asked.filter((asked) => asked === question).length).toBeGreaterThan(1);
  server.setGoing(true);
  expect(await noticed).toBe(words);
  expect(warnings).toEqual([]);
});

test('aws: one token for many questions, and a new one when it has expired', async () => {
  const server = await serverAt();
  const { noticed, warnings } = watching('aws', server.host);
  const tokens = () => server.asked.filter((asked) => asked === 'PUT /latest/api/token').length;
  await expect.poll(() => server.asked.length).toBeGreaterThan(3);
  expect(tokens()).toBe(1);
  server.expireTokens();
  await expect.poll(tokens).toBe(2);
  server.setGoing(true);
  await noticed;
  expect(warnings).toEqual([]);
});

test.each(['aws', 'gcp'] as const)(
  '%s: a service that does not answer is warned about once, and asked on',
  async (cloud) => {
    const [port = 0] = await freePorts(1);
    const { noticed, warned, warnings } = watching(cloud, `127.0.0.1:${port}`);
    await warned;
    const server = await serverAt(port);
    await expect.poll(() => server.asked.length).toBeGreaterThan(0);
    server.setGoing(true);
    await noticed;
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain(`http://127.0.0.1:${port} does not answer`);
  },
);

test('none asks nobody', async () => {
  const server = await serverAt();
  watching('none', server.host);
  const other = watching('aws', server.host);
  server.setGoing(true);
  await other.noticed;
  expect(server.asked).toEqual(['PUT /latest/api/token', 'GET /latest/meta-data/spot/instance-action']);
});
