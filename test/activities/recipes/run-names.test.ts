import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createOrchestratorActivities } from '../../../activities/orchestrator-activities.ts';
import { createReportActivities } from '../../../activities/reports/create-report-activities.ts';
import { folderOf } from '../../../activities/scope.ts';
import { createS3Client } from '../../../activities/store/client.ts';
import type { ProgrammeState } from '../../../domain/programme.ts';
import { runNameProblem } from '../../../domain/run-name.ts';
import { startTestS3 } from '../../setup/s3.ts';
import type { TestS3 } from '../../setup/s3.ts';
import { startSimulatedTeacher } from '../../teacher/simulated-server.ts';

/** Workflow ids that other clients than `ratchet run` may choose; Temporal takes all of them. */
const nasty = [
  ...[
    '',
    '.',
    '..',
    '...',
    '.hidden',
    '-x',
    '_x',
    'a/b',
    'a\\b',
    '/a',
    'a/',
    'x/../y',
    '../../escape',
    '..\\..',
    './a',
  ],
  ...[
    'a b',
    ' a',
    'a ',
    'a\n',
    'a\nb',
    '\ta',
    'a\0b',
    'a\u0000',
    'a\u2028b',
    'a\u202eb',
    'ä',
    'прогон',
    '走',
    '😀',
    'a\ud83d',
  ],
  ...[
    'a%2e%2e',
    '%00',
    'a?b',
    'a#b',
    'a:b',
    'a*',
    'a|b',
    '"a"',
    '<b>',
    '$(x)',
    '`x`',
    'a;b',
    '~',
    '~root',
    'C:\\x',
    's3://x',
  ],
  ...['x'.repeat(101), 'x'.repeat(300), 'é'.repeat(100)],
];

let s3: TestS3;
let teacher: Awaited<ReturnType<typeof startSimulatedTeacher>>;
let activities: ReturnType<typeof createOrchestratorActivities>;
let client: ReturnType<typeof createS3Client>;
beforeAll(async () => {
  s3 = await startTestS3();
  teacher = await startSimulatedTeacher();
  client = createS3Client(s3.surroundings.s3, 2);
  const openai = { baseUrl: teacher.baseUrl, apiKey: 'simulated' };
  const surroundings = { ...s3.surroundings, openai };
  activities = createOrchestratorActivities({ store: s3.newStore(), s3: client, surroundings, environment: {} });
});
afterAll(async () => {
  client.destroy();
  await teacher.stop();
  await s3.stop();
});

const refusal = (field: string) => ({
  ...{ type: 'InvalidRecipe', nonRetryable: true },
  message: expect.stringMatching(
    new RegExp(`^${field}: .*cannot name a run.*[fF]ix: use letters|^${field}: .*cannot name a run; use letters`),
  ) as string,
});

describe.each(nasty.map((name) => [name]))('%j', (name) => {
  it('names no run, whoever starts it, and nothing is written under it', async () => {
    const store = s3.newStore();
    const before = await store.objects.list('');
    const state = { run: name, stage: 'failed', recipe: null, phases: [] } as unknown as ProgrammeState;
    const { writeReport } = createReportActivities({ store, home: s3.newFolder(), now: () => new Date() });
    await expect(activities.resolveRecipe({ start: { recipe: 'demo' }, run: name })).rejects.toMatchObject(
      refusal('run'),
    );
    await expect(activities.resolveAblation({ start: { recipe: 'demo' }, run: name })).rejects.toMatchObject(
      refusal('run'),
    );
    // How a workflow ends that was refused.
    await expect(activities.saveState({ state })).rejects.toMatchObject(refusal('run'));
    await expect(writeReport({ state })).rejects.toMatchObject(refusal('run'));
    expect(() => folderOf({ run: name, phase: 'teacher', attempt: 1 })).toThrow('cannot name a run');
    expect(await store.objects.list('')).toEqual(before);
  });

  it('is no older run either', async () => {
    const from = { run: name, at: 'phaseB' } as const;
    // An empty one is refused as no text.
    const wanted = name === '' ? { type: 'InvalidRecipe' } : refusal('from\\.run');
    await expect(activities.resolveRecipe({ start: { recipe: 'demo', from }, run: 'next' })).rejects.toMatchObject(
      wanted,
    );
    const start = { recipe: 'demo', from: { run: name } };
    await expect(activities.resolveAblation({ start, run: 'next' })).rejects.toMatchObject(wanted);
  });
});

it.each(['a', 'demo-20260301-101500', 'A.b_c-9', '0', 'x'.repeat(100)])('%s names one', (name) => {
  expect(runNameProblem(name)).toBeNull();
});
