import { randomUUID } from 'node:crypto';
import type { Payload } from '@temporalio/common';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import * as messages from '../../workflows/messages.ts';
import * as workflows from '../../workflows/index.ts';
import { approve, gates, startHarness, status, untilGate } from './programme-harness.ts';
import type { Run } from './programme-harness.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const payload = (data: string, encoding = 'json/plain'): Payload => ({
  metadata: { encoding: bytes(encoding) },
  data: bytes(data),
});
const nested = (levels: number, before = '[', after = ']'): string => before.repeat(levels) + after.repeat(levels);
const decision = '{"gate":"A","choice":"approve"}';

/** What anybody may send, as it goes over the wire. A new case is one line, and is tried on every handler and workflow. */
const odd: Record<string, Payload[]> = {
  nothing: [],
  null: [payload('null')],
  'an empty payload': [{}],
  'the null of binary': [payload('', 'binary/null')],
  bytes: [payload('\u0000\u0001', 'binary/plain')],
  'a protobuf that is none': [payload('{}', 'json/protobuf')],
  'an encoding that nobody knows': [payload('{}', 'binary/encrypted')],
  'no JSON': [payload('{"gate":')],
  NaN: [payload('NaN')],
  'a number': [payload('7')],
  'a number beyond all': [payload('1e999')],
  'minus zero': [payload('-0')],
  'a text': [payload('"approve"')],
  'an empty text': [payload('""')],
  'half a character': [payload('"\\ud83d"')],
  true: [payload('true')],
  false: [payload('false')],
  'an empty list': [payload('[]')],
  'a list of nothing': [payload('[null]')],
  'an empty object': [payload('{}')],
  'a list 10,000 deep': [payload(nested(10_000))],
  'an object 10,000 deep': [payload(`${'{"recipe":'.repeat(10_000)}1${'}'.repeat(10_000)}`)],
  'a deep list where a text belongs': [payload(`{"gate":${nested(10_000)},"choice":"approve"}`)],
  'a deep recipe': [payload(`{"recipe":{"name":${nested(10_000)}}}`)],
  'deep overrides': [payload(`{"recipe":"demo","overrides":{"x":${nested(10_000)}}}`)],
  'a text of a million characters': [payload(JSON.stringify('x'.repeat(1e6)))],
  'a recipe of a million characters': [payload(JSON.stringify({ recipe: 'x'.repeat(1e6) }))],
  'a recipe whose text is a million characters': [payload(JSON.stringify({ recipe: { name: 'x'.repeat(1e6) } }))],
  'a field of a million characters': [payload(JSON.stringify({ [`gate${'x'.repeat(1e6)}`]: 1 }))],
  'a gate of a million characters': [payload(JSON.stringify({ gate: 'x'.repeat(1e6), choice: 'approve' }))],
  'a list of 100,000 lists': [payload(`[${'[],'.repeat(99_999)}[]]`)],
  'another prototype': [payload('{"__proto__":{"gate":"A","choice":"approve","recipe":"demo"}}')],
  'the names of every object': [payload('{"constructor":1,"toString":2,"hasOwnProperty":3,"valueOf":4}')],
  'fields of other types': [payload('{"gate":["A"],"choice":{"approve":true}}')],
  'a name as a choice': [payload('{"gate":"A","choice":"constructor"}')],
  'remedies that are none': [payload('{"gate":"A","choice":"retry","remedies":[[]]}')],
  'templates that are none': [payload('{"gate":"B","choice":"redesign","remedies":{"templates":{"reasoning":{}}}}')],
  'a note that is markup': [payload('{"gate":"A","choice":"approve","note":{"markup":"<b>"}}')],
  'a recipe that is a number': [payload('{"recipe":7}')],
  'a recipe that is a list': [payload('{"recipe":["demo"]}')],
  'a recipe that is null': [payload('{"recipe":null}')],
  'a recipe of blanks': [payload('{"recipe":"  "}')],
  'overrides that are a list': [payload('{"recipe":"demo","overrides":[]}')],
  'a run to start from that is none': [payload('{"recipe":"demo","from":null}')],
  'a run to start from without a name': [payload('{"recipe":"demo","from":{"at":"phaseB"}}')],
  'a run to start from that is a list': [payload('{"recipe":"demo","from":["x"]}')],
  'a refusal that is missing': [payload(decision)],
  'a refusal that is null': [payload(decision), payload('null')],
  'a refusal that is a list of markup': [payload(decision), payload('[{"markup":"<script>"}]')],
  'a refusal that is a number': [payload(decision), payload('7')],
  'a refusal of a million characters': [payload(decision), payload(JSON.stringify('r'.repeat(1e6)))],
  'arguments one too many': [payload('[]'), payload('[]'), payload('[]'), payload('{}'), payload('null')],
};

/** Right for recordRefusal or wrong in their second argument only: to `decide` they would be a decision. */
const wouldDecide = /^a refusal /u;

const handlers = Object.values(messages).flatMap((each) =>
  'type' in each && typeof each.type === 'string' && 'name' in each ? [{ type: each.type, name: each.name }] : [],
);
/** Of an update's life, in a package of which only the types of enums are there. */
const COMPLETED = 3 as never;
type Kind = 'signal' | 'update' | 'query';
const of = (type: Kind) => handlers.filter((each) => each.type === type).map(({ name }) => name);

let harness: Awaited<ReturnType<typeof startHarness>>;
let run: Run;
let release: () => void;
let playing: Promise<void>;
beforeAll(async () => {
  harness = await startHarness();
  const released = new Promise<void>((resolve) => (release = resolve));
  await new Promise<void>((resolve, reject) => {
    const play = async (started: Run) => {
      run = started;
      resolve();
      await released;
    };
    playing = harness.scenario({ recipe: { gates: { policy: 'manual' } } }, play);
    playing.catch(reject);
  });
});
afterAll(async () => {
  release();
  await playing;
  await harness.stop();
});

const namespace = 'default';
const service = () => harness.client.workflowService;

async function taskFailures(workflowId: string): Promise<string[]> {
  const { events = [] } = await harness.client.workflow.getHandle(workflowId).fetchHistory();
  return (events ?? []).flatMap(({ workflowTaskFailedEventAttributes: failed }) =>
    failed ? [failed.failure?.message ?? 'failed'] : [],
  );
}

async function send(type: Kind, name: string, payloads: Payload[]): Promise<void> {
  const workflowExecution = { workflowId: run.workflowId };
  if (type === 'signal') {
    const request = { namespace, workflowExecution, signalName: name, input: { payloads } };
    await service().signalWorkflowExecution({ ...request, requestId: randomUUID() });
  } else if (type === 'query') {
    // A query that a workflow of this type does not have is refused; nothing else may happen.
    const query = { queryType: name, queryArgs: { payloads } };
    await service()
      .queryWorkflow({ namespace, execution: workflowExecution, query })
      .catch((error: unknown) => {
        expect(String(error)).toMatch(/did not register a handler|not valid JSON|encoding|payload/iu);
      });
  } else {
    const { outcome } = await service().updateWorkflowExecution({
      ...{ namespace, workflowExecution, waitPolicy: { lifecycleStage: COMPLETED } },
      request: { meta: { updateId: randomUUID() }, input: { name, args: { payloads } } },
    });
    expect(outcome?.failure).toBeTruthy();
  }
}

test('the table knows every message, and a gate waits for them', async () => {
  await untilGate(run, 'A');
  expect(of('signal')).toEqual(['decide', 'recordRefusal']);
  expect(of('update')).toEqual(['decide']);
  expect(of('query').toSorted()).toEqual(['batches', 'gates', 'ledger', 'status']);
});

test.each(Object.entries(odd))(
  '%s, sent to a waiting gate: nothing fails, and the gate waits on',
  async (kind, payloads) => {
    for (const type of ['signal', 'update', 'query'] as const) {
      for (const name of of(type)) if (!(name === 'decide' && wouldDecide.test(kind))) await send(type, name, payloads);
    }
    expect(await taskFailures(run.workflowId)).toEqual([]);
    expect((await gates(run)).open?.gate).toBe('A');
  },
);

test('what was sent is kept in a size that cannot hurt, and the gate takes a decision', async () => {
  const { unreadable, decisions } = await status(run);
  expect(unreadable.length).toBeGreaterThan(Object.keys(odd).length);
  for (const entry of [...unreadable, ...decisions]) expect(JSON.stringify(entry).length).toBeLessThan(1100);
  for (const { accepted } of decisions) expect(accepted).toBe(false);
  await approve(run, 'A');
  await untilGate(run, 'B');
  await run.cancel();
  await expect(run.result()).rejects.toThrow();
  expect(await taskFailures(run.workflowId)).toEqual([]);
});

const startable = Object.entries(odd).filter(([kind]) => kind !== 'arguments one too many');

describe.each(Object.keys(workflows))('the workflow %s', (type) => {
  test.each([...startable, ['no recipe', [payload('{"overrides":{}}')]] as const])(
    'started with %s fails by name',
    async (kind, payloads) => {
      const workflowId = `${type} of ${kind}`;
      await service().startWorkflowExecution({
        ...{ namespace, workflowId, workflowType: { name: type }, taskQueue: { name: 'ratchet' } },
        ...{ input: { payloads: [...payloads] }, requestId: randomUUID() },
      });
      const started = harness.client.workflow.getHandle(workflowId);
      const failure: unknown = await started.result().catch((error: unknown) => (error as { cause?: Error }).cause);
      expect(await taskFailures(workflowId)).toEqual([]);
      expect(failure).toMatchObject({ type: 'InvalidRecipe' });
      expect((failure as Error).message.length).toBeLessThan(400);
      expect((failure as Error).message).toMatch(
        type.startsWith('phase')
          ? /a part of a programme/u
          : /^input of the run: (the input|recipe|overrides|from|gate is nested)/u,
      );
    },
  );
});
