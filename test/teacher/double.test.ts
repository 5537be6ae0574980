import OpenAI, { toFile } from 'openai';
import { afterEach, describe, expect, it } from 'vitest';
import { createLimits } from '../../infra/simulated-teacher/limits.ts';
import { createCounters } from '../../infra/simulated-teacher/counters.ts';
import { readTeacherSettings } from '../../infra/simulated-teacher/settings.ts';
import { startSimulatedTeacher } from './simulated-server.ts';

const running: { stop: () => Promise<void> }[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server.stop()));
});

const start = async (settings: Record<string, string> = {}) => {
  const prefixed = Object.entries({ GENERIC: 'true', ...settings }).map(([name, value]) => [
    `RATCHET_SIMULATED_TEACHER_${name}`,
    value,
  ]);
  const server = await startSimulatedTeacher(Object.fromEntries(prefixed) as Record<string, string>);
  running.push(server);
  const client = new OpenAI({ apiKey: 'any', baseURL: server.baseUrl, maxRetries: 0 });
  return { ...server, client };
};

const request = (content: string) => ({ model: 'm', messages: [{ role: 'user', content } as const] });

describe('faults of answers', () => {
  it('answers what it knows nothing of where it is told to, the same each time', async () => {
    const { client } = await start();
    const [first, again] = [
      await client.chat.completions.create(request('a')),
      await client.chat.completions.create(request('a')),
    ];
    expect(first).toEqual(again);
    expect(first.choices[0]?.message.content).toContain('was told nothing about this');
    expect(first.model).toBe('simulated-m');
  });

  it('cuts answers off, and says so', async () => {
    const { client } = await start({ FAULTS: 'truncation:1' });
    const { choices } = await client.chat.completions.create(request('a'));
    expect(choices[0]?.finish_reason).toBe('length');
  });

  it('sends bodies in drops, whole in the end', async () => {
    const { client } = await start({ FAULTS: 'slow:1', SLOW_MS: '40' });
    const { choices } = await client.chat.completions.create(request('a'));
    expect(choices[0]?.finish_reason).toBe('stop');
  });

  it('counts by request', async () => {
    const { client, baseUrl, stats } = await start();
    for (const content of ['a', 'a', 'b']) await client.chat.completions.create(request(content));
    expect(await stats()).toMatchObject({ requests: 3, answered: 3, paidTwice: 1, distinct: 2, inFlight: 0 });
    const digests = (await (await fetch(`${baseUrl}/simulated/digests`)).json()) as Record<string, object>;
    expect(Object.values(digests)).toEqual([
      { requests: 2, answered: 2 },
      { requests: 1, answered: 1 },
    ]);
  });

  it('forgets the oldest requests beyond its bound', () => {
    const counters = createCounters(2);
    for (const digest of ['a', 'b', 'c']) counters.came(digest);
    expect(counters.stats()).toMatchObject({ requests: 3, distinct: 2, forgotten: 1 });
    expect(Object.keys(counters.digests())).toEqual(['b', 'c']);
  });
});

describe('limits', () => {
  /** What a response would say, at times that the test sets. */
  const limited = (env: Record<string, string>) => {
    let now = 0;
    const limits = createLimits(readTeacherSettings(env), () => now);
    const admit = (atMs: number, tokens = 1) => {
      now = atMs;
      const headers = new Map<string, string>();
      const response = { setHeader: (name: string, value: string) => headers.set(name, value) };
      const admitted = limits.admit(response as unknown as Parameters<typeof limits.admit>[0], tokens);
      return { admitted, headers: Object.fromEntries(headers) };
    };
    return { admit };
  };

  it('of requests: a second at once, then one at a time, with headers that say so', () => {
    const { admit } = limited({ RATCHET_SIMULATED_TEACHER_RPM: '120' });
    expect(admit(0)).toEqual({
      admitted: true,
      headers: {
        'x-ratelimit-limit-requests': '120',
        'x-ratelimit-remaining-requests': '1',
        'x-ratelimit-reset-requests': '500ms',
      },
    });
    expect(admit(0).admitted).toBe(true);
    expect(admit(0)).toMatchObject({ admitted: false, headers: { 'retry-after-ms': '500', 'retry-after': '1' } });
    expect(admit(499).admitted).toBe(false);
    expect(admit(500).admitted).toBe(true);
  });

  it('of tokens: what is asked for counts', () => {
    const { admit } = limited({ RATCHET_SIMULATED_TEACHER_TPM: '6000' });
    expect(admit(0, 90)).toMatchObject({ admitted: true, headers: { 'x-ratelimit-remaining-tokens': '10' } });
    expect(admit(0, 20).admitted).toBe(false);
    expect(admit(100, 20).admitted).toBe(true);
  });
});

describe('batches', () => {
  const input = (contents: string[]) =>
    toFile(
      Buffer.from(
        contents
          .map((content, index) =>
            JSON.stringify({
              custom_id: `r${index}`,
              method: 'POST',
              url: '/v1/chat/completions',
              body: request(content),
            }),
          )
          .join('\n'),
      ),
      'input.jsonl',
    );
  const create = async (client: OpenAI, contents: string[]) => {
    const file = await client.files.create({ file: await input(contents), purpose: 'batch' });
    return client.batches.create({
      input_file_id: file.id,
      endpoint: '/v1/chat/completions',
      completion_window: '24h',
    });
  };
  const rowsOf = async (client: OpenAI, id: string | null | undefined) => {
    const text = id ? await (await client.files.content(id)).text() : '';
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map(
        (line) =>
          JSON.parse(line) as { custom_id: string; response: { status_code: number } | null; error: object | null },
      );
  };
  const contents = Array.from({ length: 40 }, (_, index) => `question ${index}`);

  it('come back whole, row by row, with those that failed in a file of their own', async () => {
    const { client } = await start({ BATCH_FAULTS: 'row:0.2' });
    const { id } = await create(client, contents);
    const batch = await client.batches.retrieve(id);
    expect(batch.status).toBe('completed');
    const [output, errors] = [await rowsOf(client, batch.output_file_id), await rowsOf(client, batch.error_file_id)];
    expect(batch.request_counts).toEqual({ total: 40, completed: output.length, failed: errors.length });
    expect(errors.length).toBeGreaterThan(0);
    expect(errors.every((row) => row.response?.status_code === 500)).toBe(true);
    expect(new Set([...output, ...errors].map((row) => row.custom_id)).size).toBe(40);
  });

  it('expire with part of them done', async () => {
    const { client } = await start({ BATCH_FAULTS: 'expired:1' });
    const batch = await client.batches.retrieve((await create(client, contents)).id);
    expect(batch).toMatchObject({ status: 'expired', request_counts: { total: 40, completed: 20, failed: 20 } });
    const [first] = await rowsOf(client, batch.error_file_id);
    expect(first).toMatchObject({ custom_id: 'r20', response: null, error: { code: 'batch_expired' } });
  });

  it('are cancelled where they have not ended', async () => {
    const { client, stats } = await start({ BATCH_MS: '3600000' });
    const { id, status } = await create(client, contents);
    expect(status).toBe('in_progress');
    expect((await client.batches.retrieve(id)).output_file_id).toBeNull();
    const cancelled = await client.batches.cancel(id);
    expect(cancelled.status).toBe('cancelled');
    expect(await rowsOf(client, cancelled.error_file_id)).toHaveLength(40);
    expect((await stats()).answered).toBe(0);
  });

  it('take a while to cancel, and are listed newest first, page by page', async () => {
    const { client } = await start({ BATCH_MS: '3600000', BATCH_CANCEL_MS: '3600000' });
    const made: string[] = [];
    for (let count = 0; count < 3; count += 1) made.unshift((await create(client, contents)).id);
    expect((await client.batches.cancel(made[0] ?? '')).status).toBe('cancelling');
    const listed: string[] = [];
    for await (const batch of client.batches.list({ limit: 2 })) listed.push(`${batch.id} ${batch.status}`);
    expect(listed).toEqual(made.map((id, index) => `${id} ${index === 0 ? 'cancelling' : 'in_progress'}`));
  });

  it('have rows that fail in every batch, and are refused whole on demand', async () => {
    const { client } = await start({ BATCH_FAULTS: 'filtered:0.2' });
    const errorsOf = async () => {
      const { error_file_id } = await client.batches.retrieve((await create(client, contents)).id);
      return (await rowsOf(client, error_file_id)).map((row) => `${row.custom_id} ${row.response?.status_code}`);
    };
    const first = await errorsOf();
    expect(first.length).toBeGreaterThan(0);
    expect(first.every((row) => row.endsWith(' 400'))).toBe(true);
    expect(await errorsOf()).toEqual(first);
    const full = (await start({ BATCH_FAULTS: 'full:1' })).client;
    expect(await create(full, contents)).toMatchObject({
      status: 'failed',
      errors: { data: [{ code: 'token_limit_exceeded' }] },
    });
  });

  it('are refused whole for an input that is wrong', async () => {
    const { client } = await start();
    const row = { custom_id: 'same', method: 'POST', url: '/v1/chat/completions', body: request('a') };
    const text = [JSON.stringify(row), JSON.stringify(row), '{"cut'].join('\n');
    const file = await client.files.create({ file: await toFile(Buffer.from(text), 'x.jsonl'), purpose: 'batch' });
    const batch = await client.batches.create({
      input_file_id: file.id,
      endpoint: '/v1/chat/completions',
      completion_window: '24h',
    });
    expect(batch.status).toBe('failed');
    expect(batch.errors?.data?.map(({ code, line }) => [code, line])).toEqual([
      ['duplicate_custom_id', 2],
      ['invalid_json_line', 3],
    ]);
  });
});
