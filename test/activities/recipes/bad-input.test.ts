import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { ApplicationFailure } from '@temporalio/common';
import { format, resolveConfig } from 'prettier';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createOrchestratorActivities } from '../../../activities/orchestrator-activities.ts';
import type { OrchestratorDeps } from '../../../activities/orchestrator-activities.ts';
import { createS3Client } from '../../../activities/store/client.ts';
import { loadRecipe } from '../../../config/load-recipe.ts';
import { problemText } from '../../../config/problem.ts';
import type { Problem } from '../../../config/problem.ts';
import { failures } from '../../../domain/failures.ts';
import { startTestS3 } from '../../setup/s3.ts';
import type { TestS3 } from '../../setup/s3.ts';
import { startSimulatedTeacher } from '../../teacher/simulated-server.ts';
import { badInputs } from './bad-inputs.ts';
import type { BadInput } from './bad-inputs.ts';

let s3: TestS3;
let teacher: Awaited<ReturnType<typeof startSimulatedTeacher>>;
let other: Awaited<ReturnType<typeof startSimulatedTeacher>>;
let deps: OrchestratorDeps;
let folder: string;

const write = (name: string, text: string): string => {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
};
const rows = (count: number, answerOf: (index: number) => unknown): string =>
  Array.from({ length: count }, (_, index) =>
    JSON.stringify({
      qid: `q${index}`,
      question: `Is it ${index}?`,
      answer: answerOf(index),
      facts: [],
      decomposition: [],
    }),
  ).join('\n');

beforeAll(async () => {
  s3 = await startTestS3();
  teacher = await startSimulatedTeacher({ RATCHET_SIMULATED_TEACHER_KEY: 'sk-valid' });
  other = await startSimulatedTeacher({ RATCHET_SIMULATED_TEACHER_KEY: 'sk-other' });
  folder = s3.newFolder();
  mkdirSync(join(folder, 'tiny'));
  for (const name of ['config.json', 'tokenizer.json', 'model.safetensors']) write(`tiny/${name}`, '{}');
  write(
    'tiny/world.jsonl',
    rows(2000, (index) => index % 2 === 0),
  );
  write('empty.jsonl', '');
  write(
    'yes-only.jsonl',
    rows(500, () => true),
  );
  write(
    'few.jsonl',
    rows(100, (index) => index % 2 === 0),
  );
  write(
    'broken.jsonl',
    rows(500, (index) => (index === 16 ? 'perhaps' : index % 2 === 0)),
  );
  write('mine.yaml', 'name: mine\ndescription: With a typo.\nphaseB:\n  learnngRate: 1.0e-5\n');
  write('typed.yaml', 'name: mine\ndescription: With a word for a number.\nphaseA:\n  epochs: three\n');
  mkdirSync(join(folder, 'half-a-base'));
  write('half-a-base/config.json', '{}');
  const client = createS3Client(s3.surroundings.s3, 2);
  deps = {
    store: s3.newStore(),
    s3: client,
    surroundings: {
      ...s3.surroundings,
      tinyBase: join(folder, 'tiny'),
      openai: { baseUrl: teacher.baseUrl, apiKey: 'sk-valid' },
    },
    environment: { RATCHET_EMBEDDED: 'temporal,s3,teacher' },
  };
  const { recipe } = loadRecipe({ recipe: 'demo', overrides: { 'model.base': 'microsoft/phi-2' } });
  await deps.store.putJson('runs/older/state.json', { run: 'older', recipe, phases: [], stage: 'done' });
});
afterAll(async () => {
  deps.s3.destroy();
  await teacher.stop();
  await other.stop();
  await s3.stop();
});

type Refusal = { type: string; text: string };

async function refusalOf({ start, environment, world, run = 'refused' }: BadInput): Promise<Refusal> {
  const mine = world ? world(deps) : deps;
  const activities = createOrchestratorActivities({ ...mine, environment: { ...mine.environment, ...environment } });
  try {
    await activities.resolveRecipe({ start: start as never, run });
  } catch (error) {
    if (!(error instanceof ApplicationFailure)) throw error;
    const { problems } = error.details?.[0] as { problems: Problem[] };
    expect(error.message).toContain(problemText(problems[0] as Problem));
    return { type: error.type ?? '', text: error.message };
  }
  throw new Error('was not refused');
}

/** What differs from machine to machine. */
const plain = (text: string): string =>
  text
    .replaceAll(folder, '/data')
    .replaceAll(/127\.0\.0\.1:\d+/g, '127.0.0.1:7080')
    .replaceAll(resolve(import.meta.dirname, '../../..'), '/ratchet');

describe('bad input', () => {
  it('is refused with field and fix, for good, before anything is spent: docs/bad-input.md', async () => {
    const lines: string[] = [];
    for (const one of badInputs({ folder, s3, teacher, other })) {
      const { type, text } = await refusalOf(one);
      expect(failures[type as keyof typeof failures], `${one.what}: ${type}`).toBe('permanent');
      expect(text, one.what).toContain('Fix: ');
      expect(text, one.what).not.toContain('hunter2');
      lines.push(`| ${one.what} | \`${type}\` | ${plain(text).replaceAll('|', '\\|').replaceAll('\n', ' ')} |`);
    }
    expect(lines.length).toBeGreaterThanOrEqual(10);
    expect(await teacher.stats()).toMatchObject({ requests: 0 });
    const page = [
      '# Bad input',
      '',
      'What is refused before anything is spent, as what failure, and in which words. `ratchet validate`, `ratchet run` and the',
      'first activity of every run say the same. Written by test/activities/recipes/bad-input.test.ts, which refuses each of',
      'these anew.',
      '',
      '| what is wrong | failure | message |',
      '| --- | --- | --- |',
      ...lines,
      '',
    ].join('\n');
    const file = resolve(import.meta.dirname, '../../../docs/bad-input.md');
    await expect(await format(page, { ...(await resolveConfig(file)), parser: 'markdown' })).toMatchFileSnapshot(file);
  });

  it('tells every problem at once', async () => {
    const { text, type } = await refusalOf({
      what: 'several',
      start: {
        recipe: 'demo',
        overrides: { 'data.source': join(folder, 'empty.jsonl'), 'model.base': '/data/models/nothing' },
        from: { run: 'oldest', at: 'phaseB' },
      },
    });
    expect(type).toBe('InvalidData');
    expect(text.split('\n')).toHaveLength(4);
    expect(text).toContain('3 problems:');
  });
});

describe('good input', () => {
  it('is resolved with digest, estimate and what changed it', async () => {
    const { resolveRecipe } = createOrchestratorActivities({
      ...deps,
      environment: { ...deps.environment, TRAIN_SAMPLES: '100' },
    });
    const resolved = await resolveRecipe({ start: { recipe: 'demo', overrides: { seed: 7 } }, run: 'good' });
    expect(resolved.recipe).toMatchObject({ seed: 7, data: { samples: 100 } });
    expect(resolved.overridden.map(({ field, by }) => `${field} by ${by}`)).toEqual([
      'data.samples by TRAIN_SAMPLES',
      'seed by --set',
    ]);
    expect(resolved.estimate).toMatchObject({ teacherCalls: 100, teacherUsd: 0 });
    expect(await deps.store.objects.list('runs/good/')).toEqual([]);
  });

  it('may start from a run with the same base', async () => {
    const { resolveRecipe } = createOrchestratorActivities(deps);
    const overrides = { 'model.base': 'microsoft/phi-2' };
    await expect(
      resolveRecipe({ start: { recipe: 'demo', overrides, from: { run: 'older', at: 'phaseA' } }, run: 'next' }),
    ).resolves.toBeDefined();
  });

  it('starts nothing under DRY_RUN, and says what it would cost', async () => {
    const { resolveRecipe } = createOrchestratorActivities({ ...deps, environment: { DRY_RUN: 'True' } });
    await expect(resolveRecipe({ start: { recipe: 'demo' }, run: 'dry' })).rejects.toThrow(
      'demo would make 200 teacher calls and cost up to $0.00. Fix: unset DRY_RUN',
    );
  });

  it('a server that is down is not bad input: it may come back', async () => {
    const surroundings = { ...deps.surroundings, openai: { baseUrl: 'http://127.0.0.1:9/v1', apiKey: 'sk-valid' } };
    const { resolveRecipe } = createOrchestratorActivities({ ...deps, surroundings });
    await expect(
      resolveRecipe({ start: { recipe: 'demo', overrides: { 'teacher.maxRetries': 0 } }, run: 'down' }),
    ).rejects.toMatchObject({ type: 'TeacherUnavailable', nonRetryable: false });
  });
});

describe('state', () => {
  it('comes back as it was saved', async () => {
    const { saveState, loadState } = createOrchestratorActivities(deps);
    const state = { run: 'kept', stage: 'done', recipe: null, phases: [], decisions: [{ note: 'é' }] } as never;
    const ref = await saveState({ state });
    expect(ref.uri).toBe(`s3://${deps.store.bucket}/runs/kept/state.json`);
    expect(await loadState({ run: 'kept' })).toEqual(state);
    await expect(loadState({ run: 'nobody' })).rejects.toMatchObject({ type: 'UnknownRun', nonRetryable: true });
  });
});
