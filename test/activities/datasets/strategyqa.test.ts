import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createOrchestratorActivities } from '../../../activities/orchestrator-activities.ts';
import { createS3Client } from '../../../activities/store/client.ts';
import { loadQuestions } from '../../../activities/datasets/load-questions.ts';
import { loadRecipe } from '../../../config/load-recipe.ts';
import { yesShare } from '../../../domain/data-report.ts';
import { reasoningCorpus } from '../../../domain/corpora.ts';
import type { Answer, Balance, Filtering, Question } from '../../../domain/records.ts';
import { defaultTemplates } from '../../../domain/templates.ts';
import { givenAnswer } from '../../../infra/simulated-teacher/teaching.ts';
import { draftRow, responseRow } from '../../domain/rows.ts';
import { dataFolder } from '../../setup/data-folder.ts';
import { startTestS3 } from '../../setup/s3.ts';
import type { TestS3 } from '../../setup/s3.ts';
import { startSimulatedTeacher } from '../../teacher/simulated-server.ts';
import { ask, draftFor } from '../../teacher/stage.ts';

const data = dataFolder;
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

  const attempts = 5;
  /** What Phase B's corpus of the reference sample comes to, as a mean over 50 teachers that err at these rates. */
  function corpusOf(filtering: Filtering, balance: Balance, rates: Record<Answer, number>) {
    const of = (answer: Answer, size: number) =>
      questions.filter((question) => question.answer === answer).slice(0, size);
    const sample = [...of('yes', 91), ...of('no', 109)];
    const drafts = sample.map(({ id }) => draftRow(id, 'no'));
    const seeds = Array.from({ length: 50 }, (_, seed) => seed);
    const results = seeds.map((seed) => {
      const responses = sample.flatMap((question) =>
        Array.from({ length: attempts }, (_, attempt) =>
          responseRow(question, givenAnswer(question, { seed: `${seed}`, attempt: `${attempt}`, rates }), attempt),
        ),
      );
      const options = { filtering, balance, consensusAttempts: attempts, seed };
      const { steps } = reasoningCorpus(sample, drafts, responses, defaultTemplates, options);
      const [filtered, trained] = [steps[0]?.after, steps.at(-1)?.after];
      if (filtered === undefined || trained === undefined) throw new Error('the corpus has no steps');
      return { yes: yesShare(trained), lost: 1 - (filtered.yes + filtered.no) / sample.length };
    });
    const mean = (of: 'yes' | 'lost') => results.reduce((sum, result) => sum + result[of], 0) / results.length;
    return { yes: mean('yes'), lost: mean('lost') };
  }
  /** Standard error of the mean of 50 samples: 0.5 points. */
  const near = (value: number, expected: number) => {
    expect(Math.abs(value - expected)).toBeLessThan(0.015);
  };
  const reference = { yes: 0.571, no: 0.101 };

  it('dropping disagreements collapses the reference sample: 45.5/54.5 → about 28.5/71.5 % yes/no', () => {
    const { yes, lost } = corpusOf('drop-disagreements', 'none', reference);
    near(yes, 0.285);
    near(lost, 0.315);
  });

  it('upsampling mends the balance, of what was dropped and of what a consensus kept alike', () => {
    for (const filtering of ['drop-disagreements', 'consensus'] as const) {
      const { yes } = corpusOf(filtering, 'upsample', reference);
      // Within a few points of the source's 45.5 %.
      expect(yes).toBeCloseTo(0.5, 2);
    }
  });

  it('a consensus mends what single errors lose, but not a teacher that errs on most yes questions', () => {
    // A majority of five is wrong still more often where one attempt is wrong in 57 of 100 cases.
    const biased = corpusOf('consensus', 'none', reference);
    near(biased.yes, 0.237);
    near(biased.lost, 0.295);
    const even = { yes: 0.315, no: 0.315 };
    const dropped = corpusOf('drop-disagreements', 'none', even);
    const agreed = corpusOf('consensus', 'none', even);
    near(dropped.lost, 0.315);
    near(agreed.lost, 0.183);
    near(agreed.yes, 0.455);
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
