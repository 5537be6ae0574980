import { createHmac } from 'node:crypto';
import { createServer } from 'node:http';
import type { IncomingHttpHeaders, Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createNotifyGate } from '../../../activities/gates/notify-gate.ts';
import type { GateNotice } from '../../../domain/gate-notice.ts';

type Posted = { headers: IncomingHttpHeaders; body: string };
const posted: Posted[] = [];
let answer = 204;
let server: Server;
let url: string;
beforeAll(async () => {
  server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      posted.push({ headers: request.headers, body: Buffer.concat(chunks).toString('utf8') });
      response.writeHead(answer).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/gates`;
});
afterAll(() => new Promise((resolve) => server.close(resolve)));

const notice: GateNotice = {
  run: 'r1',
  gate: 'B',
  attempt: 2,
  verdict: 'inconclusive',
  evidence: '0123456789abcdef',
  options: ['approve', 'fix', 'skip', 'redesign', 'abort'],
  recommended: 'fix',
  waitingSince: '2026-03-02T08:00:00.000Z',
  reminder: 1,
  kind: 'reminder',
};
const now = () => new Date('2026-03-02T09:00:00Z');
const notify = createNotifyGate({ RATCHET_WEBHOOK_SECRET: 'a secret' }, now);
const input = (to = url) => ({ url: to, secretEnv: 'RATCHET_WEBHOOK_SECRET', notice });

describe('a notice', () => {
  it('arrives as JSON, signed over its time and body, and a repetition can be told', async () => {
    answer = 204;
    await notify(input());
    await notify(input());
    const [first, second] = posted.splice(0);
    expect(JSON.parse(first?.body ?? '')).toEqual(notice);
    expect(first?.headers['content-type']).toBe('application/json');
    const signed = `2026-03-02T09:00:00.000Z.${first?.body ?? ''}`;
    expect(first?.headers['x-ratchet-timestamp']).toBe('2026-03-02T09:00:00.000Z');
    expect(first?.headers['x-ratchet-signature']).toBe(
      `sha256=${createHmac('sha256', 'a secret').update(signed).digest('hex')}`,
    );
    expect(first?.headers['x-ratchet-delivery']).toBe('r1/B2/0123456789ab/1-reminder');
    expect(second?.headers['x-ratchet-delivery']).toBe(first?.headers['x-ratchet-delivery']);
    expect(JSON.stringify(first)).not.toContain('a secret');
  });
  it.each(['прогон', 'a\nb', 'a\u0000b', '走/..', '😀', 'a\ud83d', 'é'.repeat(300), ' a '])(
    'of a run named %j arrives too',
    async (run) => {
      answer = 204;
      await notify({ ...input(), notice: { ...notice, run } });
      const delivery = posted.splice(0)[0]?.headers['x-ratchet-delivery'] as string;
      expect(decodeURIComponent(delivery.split('/')[0] ?? '')).toBe(run.toWellFormed());
      expect(delivery).toMatch(/^[\x21-\x7e]+\/B2\/0123456789ab\/1-reminder$/);
    },
  );
  it('that fails shows neither password nor path of its address', async () => {
    answer = 404;
    const hidden = [`${url}/T0/B0/hunter2`, 'http://me:hunter2@127.0.0.1:1/', 'http://127.0.0.1:1/hunter2'];
    for (const to of hidden) {
      const error = (await notify(input(to)).catch((caught: unknown) => caught)) as Error & { cause?: Error };
      expect(`${error.message} ${error.stack ?? ''} ${error.cause?.message ?? ''}`).not.toContain('hunter2');
      expect(error.message).toContain('gates.webhook: http://127.0.0.1:');
    }
    posted.splice(0);
  });
  it.each([
    [500, 'WebhookUnavailable', false],
    [429, 'WebhookUnavailable', false],
    [302, 'WebhookRefused', true],
    [404, 'WebhookRefused', true],
  ])('answered by %i: %s', async (status, type, nonRetryable) => {
    answer = status;
    await expect(notify(input())).rejects.toMatchObject({ type, nonRetryable });
  });
  it('to nobody is tried again; without a secret it is not sent', async () => {
    await expect(notify(input('http://127.0.0.1:1/'))).rejects.toMatchObject({ type: 'WebhookUnavailable' });
    posted.splice(0);
    await expect(createNotifyGate({}, now)(input())).rejects.toMatchObject({ type: 'WebhookRefused' });
    expect(posted).toEqual([]);
  });
});
