import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createApiActivities } from '../../activities/api-activities.ts';
import { downloadFromHub } from '../../activities/datasets/hub.ts';
import { createOrchestratorActivities } from '../../activities/orchestrator-activities.ts';
import { createS3Client } from '../../activities/store/client.ts';
import type { Store } from '../../activities/store/store.ts';
import { connectTeacher } from '../../activities/teacher/connect.ts';
import { readEnvironment } from '../../config/environment.ts';
import { Recipe } from '../../config/recipe.ts';
import { startTestS3 } from '../setup/s3.ts';
import type { TestS3 } from '../setup/s3.ts';
import { judgeInput, judgePairs } from './judge-stage.ts';
import { startSink } from './sink.ts';
import type { Sink } from './sink.ts';
import { ask, askInput, quietEnvironment, someQuestions } from './stage.ts';
import { nano, paid, simulated } from './teachers.ts';

/** Whoever may start a run may name any server in its recipe. What that server is sent. */

const secret = 'sk-live-0123456789abcdef';

let s3: TestS3;
let store: Store;
beforeAll(async () => {
  s3 = await startTestS3();
  store = s3.newStore();
});
afterAll(() => s3.stop());

let home: Sink;
let sink: Sink;
const sinks: Sink[] = [];
const another = async (...input: Parameters<typeof startSink>): Promise<Sink> => {
  const one = await startSink(...input);
  sinks.push(one);
  return one;
};
beforeEach(async () => {
  home = await another();
  sink = await another();
});
afterEach(async () => {
  await Promise.all(sinks.splice(0).map((one) => one.stop()));
});

/** What a sink saw of secrets: nothing, if all is well. */
const leaked = ({ seen }: Sink): string[] =>
  seen.flatMap(({ url, headers, body }) => {
    const all = JSON.stringify([url, headers, body]);
    return all.includes(secret) || headers.authorization !== undefined ? [all] : [];
  });

/** The worker's keys: the environment's server has one, the recipe's has none. */
const worker = () => readEnvironment({ OPENAI_BASE_URL: home.baseUrl, OPENAI_API_KEY: secret }).openai;

let n = 0;
const fresh = (more: Record<string, unknown>) => ({ ...nano, maxTokens: 700 + (n += 1), price: 'free', ...more });

describe('a server that a recipe names, and that no key is bound to, is sent none', () => {
  it('when the recipe is resolved, as teacher or as judge', async () => {
    const client = createS3Client(s3.surroundings.s3, 2);
    const surroundings = { ...s3.surroundings, openai: worker() };
    const { resolveRecipe } = createOrchestratorActivities({ store, s3: client, surroundings, environment: {} });
    const overrides = {
      teacher: fresh({ baseUrl: sink.baseUrl }),
      judge: { model: nano.model, price: 'free', baseUrl: `${sink.origin}/judge` },
    };
    await resolveRecipe({ start: { recipe: 'demo', overrides }, run: 'attack' }).catch(() => undefined);
    client.destroy();
    expect(sink.seen.map(({ url }) => url.split('/')[1])).toEqual(expect.arrayContaining(['v1', 'judge']));
    expect(leaked(sink)).toEqual([]);
  });

  it('when teacher and judge are asked', async () => {
    const teacher = fresh({ baseUrl: sink.baseUrl });
    await ask(
      store,
      worker(),
      await askInput(store, { teacher }, { run: 'attack-teacher', questions: someQuestions(3) }),
    );
    const judge = fresh({ baseUrl: sink.baseUrl });
    await judgePairs(store, worker(), await judgeInput(store, judge, [{ before: 'Why?', after: 'How?' }]));
    expect(sink.seen.filter(({ url }) => url.endsWith('/chat/completions'))).toHaveLength(5);
    expect(leaked(sink)).toEqual([]);
  });

  it('by any call about batches', async () => {
    const recipe = Recipe.parse({
      name: 'x',
      description: 'x',
      teacher: fresh({ baseUrl: sink.baseUrl, mode: 'batch' }),
    });
    const activities = createApiActivities({ store, openai: worker() });
    const environment = quietEnvironment();
    const run = <Input, Output>(work: (input: Input) => Promise<Output>, input: Input) =>
      environment.run(work, input).catch(() => undefined);
    const scope = { run: 'attack', phase: 'teacher', attempt: 1 } as const;
    const input = await store.putRows('runs/attack/teacher-1/batches/1-1.jsonl', [
      { custom_id: 'x', body: { messages: [] } },
    ]);
    const file = { name: '1-1', input, price: { inputPerMillionUsd: 0, outputPerMillionUsd: 0 } };
    await run((asked: Parameters<typeof activities.submitBatch>[0]) => activities.submitBatch(asked), {
      scope,
      recipe,
      file,
    });
    await run((asked: Parameters<typeof activities.lookAtBatches>[0]) => activities.lookAtBatches(asked), {
      recipe,
      ids: ['b'],
    });
    await run((asked: Parameters<typeof activities.cancelBatches>[0]) => activities.cancelBatches(asked), {
      recipe,
      ids: ['b'],
    });
    await run((asked: Parameters<typeof activities.collectBatch>[0]) => activities.collectBatch(asked), {
      scope,
      recipe,
      file,
      files: ['f'],
    });
    expect(sink.seen.length).toBeGreaterThan(3);
    expect(leaked(sink)).toEqual([]);
  });

  it('nor what the client’s own variables hold', async () => {
    const names = {
      OPENAI_CUSTOM_HEADERS: `x-gateway: ${secret}\nAuthorization: Bearer ${secret}`,
      OPENAI_ORG_ID: secret,
      OPENAI_PROJECT_ID: secret,
      OPENAI_ADMIN_KEY: secret,
    };
    Object.assign(process.env, names);
    try {
      const teacher = fresh({ baseUrl: sink.baseUrl });
      await ask(
        store,
        worker(),
        await askInput(store, { teacher }, { run: 'attack-own', questions: someQuestions(1) }),
      );
    } finally {
      for (const name of Object.keys(names)) Reflect.deleteProperty(process.env, name);
    }
    expect(sink.seen.length).toBeGreaterThan(1);
    expect(leaked(sink)).toEqual([]);
  });

  it.each<[string, (places: { home: Sink; sink: Sink }) => string]>([
    ['another port', ({ sink: { port } }) => `http://127.0.0.1:${port}/v1`],
    ['another name of the same host', ({ home: { port } }) => `http://localhost:${port}/v1`],
    ['the environment’s server in the path', ({ home: at, sink: { origin } }) => `${origin}/${at.baseUrl}`],
    ['the environment’s server in the query', ({ home: at, sink: { origin } }) => `${origin}/v1?${at.baseUrl}`],
  ])('at %s', async (_, urlOf) => {
    const teacher = fresh({ baseUrl: urlOf({ home, sink }) });
    await ask(
      store,
      worker(),
      await askInput(store, { teacher }, { run: `look-alike-${n}`, questions: someQuestions(1) }),
    ).catch(() => undefined);
    const seen = [...sink.seen, ...home.seen];
    expect(seen.length).toBeGreaterThan(0);
    expect(seen.filter(({ headers }) => headers.authorization !== undefined)).toEqual([]);
  });

  it.each(['http://u:p@', 'http://127.0.0.1:1@', 'http://x@', 'http://:p@'])(
    'with a user in its URL (%s) it is not asked',
    async (start) => {
      const teacher = fresh({ baseUrl: `${start}127.0.0.1:${sink.port}/v1` });
      const refused = ask(
        store,
        worker(),
        await askInput(store, { teacher }, { run: 'attack-user', questions: someQuestions(1) }),
      );
      await expect(refused).rejects.toMatchObject({ type: 'InvalidRecipe' });
      await expect(refused).rejects.not.toThrow(/u:p|:p@/);
      expect(sink.seen).toEqual([]);
    },
  );
});

describe('the server that a key is bound to', () => {
  it('is sent it, and is not sent another’s', async () => {
    const openai = readEnvironment({
      OPENAI_BASE_URL: home.baseUrl,
      OPENAI_API_KEY: 'sk-home-0123456789',
      RATCHET_KEY_SINK: `${sink.origin} ${secret}`,
    }).openai;
    const teacher = fresh({ baseUrl: sink.baseUrl });
    await ask(store, openai, await askInput(store, { teacher }, { run: 'bound', questions: someQuestions(2) }));
    expect(new Set(sink.seen.map(({ headers }) => headers.authorization))).toEqual(new Set([`Bearer ${secret}`]));
    await ask(
      store,
      openai,
      await askInput(store, { teacher: fresh({}) }, { run: 'home', questions: someQuestions(2) }),
    );
    expect(new Set(home.seen.map(({ headers }) => headers.authorization))).toEqual(
      new Set(['Bearer sk-home-0123456789']),
    );
  });

  it.each([301, 302, 303, 307, 308])('sends on by %i to another: neither key nor prompt go there', async (status) => {
    const redirecting = await another((response, url) => {
      response.writeHead(status, { location: `${sink.origin}${url}` }).end();
      return true;
    });
    const openai = readEnvironment({ OPENAI_BASE_URL: redirecting.baseUrl, OPENAI_API_KEY: secret }).openai;
    const input = await askInput(
      store,
      { teacher: fresh({}) },
      { run: `redirect-${status}`, questions: someQuestions(1) },
    );
    const asked = await ask(store, openai, input).then(({ report }) => report, String);
    expect(JSON.stringify(asked)).not.toContain(secret);
    expect(redirecting.seen.length).toBeGreaterThan(1);
    expect(sink.seen).toEqual([]);
  });

  it('may send on within itself', async () => {
    const moved = await another((response, url) => {
      if (url.startsWith('/new')) return false;
      response.writeHead(308, { location: `/new${url}` }).end();
      return true;
    });
    const input = await askInput(
      store,
      { teacher: fresh({ baseUrl: moved.baseUrl }) },
      { run: 'moved', questions: someQuestions(1) },
    );
    expect((await ask(store, worker(), input)).calls).toBe(1);
  });

  it('in a circle is not followed for ever', async () => {
    const circle = await another((response, url) => {
      response.writeHead(307, { location: url }).end();
      return true;
    });
    const { client } = connectTeacher(readEnvironment({ OPENAI_BASE_URL: circle.baseUrl }).openai, {
      model: 'm',
    });
    await expect(client.models.list()).rejects.toThrow('in a circle');
    expect(circle.seen).toHaveLength(6);
  });
});

it('the hub’s token goes to the hub alone, wherever it sends on to', async () => {
  const hub = await another((response, url) => {
    response.writeHead(302, { location: `${sink.origin}${url}` }).end();
    return true;
  });
  const environment = { HF_ENDPOINT: hub.origin, HF_TOKEN: secret };
  await downloadFromHub('hf://o/n/train.jsonl', environment, `${s3.newFolder()}/rows`).catch(() => undefined);
  expect(hub.seen[0]?.headers.authorization).toBe(`Bearer ${secret}`);
  expect(sink.seen.length).toBeGreaterThan(0);
  expect(leaked(sink)).toEqual([]);
});

describe('answers belong to the server that gave them', () => {
  it('a mock under a model’s name answers no later run against another server', async () => {
    const [mock, real] = [await paid(), await paid()];
    const teacher = fresh({});
    const input = (run: string) => askInput(store, { teacher }, { run, questions: someQuestions(4) });
    await ask(store, mock, await input('mocked'));
    const asked = await ask(store, real, await input('real'));
    expect(asked).toMatchObject({ calls: 4, reused: 0 });
    expect(real.seen.paid).toBe(4);
    // The same server by another spelling is the same.
    const again = await ask(store, { baseUrl: `${real.baseUrl}/` }, await input('again'));
    expect(again).toMatchObject({ calls: 0, reused: 4 });
  });

  it('nor does a judge’s', async () => {
    const [mock, real] = [await simulated(), await simulated()];
    const judge = { maxTokens: 777 };
    const input = (run: string) => judgeInput(store, judge, [{ before: 'Why?', after: 'How?' }], { run });
    await judgePairs(store, mock, await input('mocked-judge'));
    expect(await judgePairs(store, real, await input('real-judge'))).toMatchObject({ calls: 2, reused: 0 });
  });
});
