import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createOrchestratorActivities } from '../../../activities/orchestrator-activities.ts';
import { createS3Client } from '../../../activities/store/client.ts';
import { loadQuestions } from '../../../activities/datasets/load-questions.ts';
import { loadRecipe } from '../../../config/load-recipe.ts';
import { yesShare } from '../../../domain/data-report.ts';
import type { Question } from '../../../domain/records.ts';
import { givenAnswer } from '../../../infra/simulated-teacher/teaching.ts';
import { startTestS3 } from '../../setup/s3.ts';
import type { TestS3 } from '../../setup/s3.ts';
import { startSimulatedTeacher } from '../../teacher/simulated-server.ts';
import { ask, draftFor } from '../../teacher/stage.ts';

const data = process.env['RATCHET_DATA'] ?? resolve(import.meta.dirname, '../../../../shared/data');
const file = join(data, 'strategyqa/train.json');

if (!existsSync(file))
  console.warn(`skipped: ${file} is not there (set RATCHET_DATA to the folder with strategyqa/train.json)`);

describe.skipIf(!existsSync(file))('the real StrategyQA file', () => {
  let s3: TestS3;
  let questions: Question[];
  let activities: ReturnType<typeof createOrchestratorActivities>;
  let stop: () => Promise<void>;
  beforeAll(async () => {
    s3 = await startTestS3();
    const client = createS3Client(s3.surroundings.s3, 3);
    stop = async () => {
      client.destroy();
      await s3.stop();
    };
    const deps = {
      store: s3.newStore(),
      s3: client,
      surroundings: s3.surroundings,
      environment: { RATCHET_DATA: data },
    };
    activities = createOrchestratorActivities(deps);
    questions = await loadQuestions(file, deps);
  });
  afterAll(() => stop());

  it('dropping disagreements collapses the reference sample: 45.5/54.5 → about 28.5/71.5 % yes/no', () => {
    const [yes, no] = (['yes', 'no'] as const).map((answer) =>
      questions.filter((question) => question.answer === answer),
    );
    const sample = [...(yes ?? []).slice(0, 91), ...(no ?? []).slice(0, 109)];
    const shares: number[] = [];
    const losses: number[] = [];
    for (let seed = 0; seed < 50; seed += 1) {
      const errors = { seed: String(seed), attempt: '0', rates: { yes: 0.571, no: 0.101 } };
      const kept = sample.filter((question) => givenAnswer(question, errors) === question.answer);
      shares.push(kept.filter(({ answer }) => answer === 'yes').length / kept.length);
      losses.push(1 - kept.length / sample.length);
    }
    const mean = (values: number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
    // Standard error of the mean of 50 samples: 0.5 points.
    expect(Math.abs(mean(shares) - 0.285)).toBeLessThan(0.015);
    expect(Math.abs(mean(losses) - 0.315)).toBeLessThan(0.015);
  });

  it('the whole way, over HTTP and S3: the data report shows the collapse, keep-all does not have it', async () => {
    const { recipe } = loadRecipe({ recipe: 'strategyqa-tiny' });
    const store = s3.newStore();
    const scope = { run: 'real', phase: 'data', attempt: 1 } as const;
    const prepared = await activities.prepareData({ scope, recipe });
    expect(prepared.train.rows).toBe(200);
    expect(prepared.evaluation.rows).toBeGreaterThan(600);
    const [heldOut, sampled] = prepared.report.steps;
    expect(heldOut?.before).toEqual({
      yes: questions.filter(({ answer }) => answer === 'yes').length,
      no: questions.filter(({ answer }) => answer === 'no').length,
    });
    expect(sampled?.after.yes).toBeGreaterThan(90);

    const train = await store.rows<Question>(prepared.train);
    const evaluation = await store.rows<Question>(prepared.evaluation);
    const texts = new Set(evaluation.map(({ question }) => question));
    expect(train.some(({ question }) => texts.has(question))).toBe(false);

    const drafts = await store.putRows('runs/real/drafts-1/train.jsonl', train.map(draftFor));
    const teacher = await startSimulatedTeacher();
    const input = {
      scope: { run: 'real', phase: 'teacher', attempt: 1 } as const,
      recipe,
      questions: prepared.train,
      drafts,
      attempts: 1,
    };
    const asked = await ask(store, { baseUrl: teacher.baseUrl }, input);
    await teacher.stop();
    expect(asked.teacher).toBe('simulated-teacher');
    expect(asked.report.byClass).toMatchObject({ unparsable: 0, truncated: 0, refused: 0, failed: 0 });

    const build = (filtering: 'drop-disagreements' | 'keep-all') =>
      activities.buildReasoningCorpus({
        scope: { run: 'real', phase: 'B', attempt: filtering === 'keep-all' ? 2 : 1 },
        recipe: { ...recipe, phaseB: { ...recipe.phaseB, filtering } },
        questions: prepared.train,
        drafts,
        responses: asked.responses,
      });
    const dropped = (await build('drop-disagreements')).report.steps[0];
    expect(dropped?.name).toBe('drop-disagreements');
    expect(dropped?.removed.map(({ reason }) => reason)).toEqual(['disagreed']);
    expect(Math.abs(yesShare(dropped?.before ?? { yes: 0, no: 0 }) - 0.468)).toBeLessThan(0.02);
    // One draw of 200: a standard deviation of about 3.5 points around 29.6 %.
    expect(Math.abs(yesShare(dropped?.after ?? { yes: 0, no: 0 }) - 0.296)).toBeLessThan(0.11);
    const kept = await build('keep-all');
    expect(kept.rows.rows).toBe(200);
  });
});
