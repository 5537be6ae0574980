import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createCorpusActivities } from '../../../activities/corpora/build-corpora.ts';
import type { Store } from '../../../activities/store/store.ts';
import { Recipe } from '../../../config/recipe.ts';
import type { ArtefactRef, PreferencePair, SftRow, TeacherResponse } from '../../../domain/records.ts';
import { defaultTemplates } from '../../../domain/templates.ts';
import { startTestS3 } from '../../setup/s3.ts';
import type { TestS3 } from '../../setup/s3.ts';
import { draftFor, someQuestions } from '../../teacher/stage.ts';

let s3: TestS3;
let store: Store;
let refs: { questions: ArtefactRef; drafts: ArtefactRef; responses: ArtefactRef };
const questions = someQuestions(40);

/** Every fourth response disagrees with the truth. */
const responses = questions.map((question, index): TeacherResponse => {
  const answer = index % 4 === 0 ? (question.answer === 'yes' ? 'no' : 'yes') : question.answer;
  const text = `## Teaching Analysis\nSo.\n\n## Step-by-Step Reasoning\n1. So.\n\n## Final Assessment\nBased on this analysis, the answer is: **${answer.toUpperCase()}**`;
  return {
    id: question.id,
    attempt: 0,
    text,
    answer,
    truth: question.answer,
    class: answer === question.answer ? 'valid' : 'disagreed',
    strict: true,
    requestDigest: 'd',
    inputTokens: 1,
    outputTokens: 1,
    costUsd: 0,
    reused: false,
  };
});

beforeAll(async () => {
  s3 = await startTestS3();
  store = s3.newStore();
  refs = {
    questions: await store.putRows('q.jsonl', questions),
    drafts: await store.putRows('d.jsonl', questions.map(draftFor)),
    responses: await store.putRows('r.jsonl', responses),
  };
});
afterAll(() => s3.stop());

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const recipe = (more: Record<string, unknown> = {}): Recipe =>
  Recipe.parse({ name: 'test', description: 'test', ...more });

describe('corpora', () => {
  it('Phase A: question → answer, digest of the prompt template', async () => {
    const corpus = await createCorpusActivities(store).buildAnswerCorpus({
      scope: { run: 'r', phase: 'A', attempt: 1 },
      recipe: recipe(),
      questions: refs.questions,
    });
    expect(corpus).toMatchObject({
      heldOut: null,
      templateDigest: sha256(defaultTemplates.answer),
      rows: { rows: 40, uri: `s3://${store.bucket}/runs/r/A-1/corpus.jsonl` },
    });
    expect((await store.rows<SftRow>(corpus.rows))[0]).toEqual({
      prompt: 'Question: Is fact number 0 true?\nAnswer:',
      completion: ' yes',
    });
  });

  it('Phase B: filtered, held out, balanced; the report has drafts, responses and each step', async () => {
    const phaseB = { balance: 'upsample', earlyStopping: { heldOutShare: 0.2 } };
    const corpus = await createCorpusActivities(store).buildReasoningCorpus({
      scope: { run: 'r', phase: 'B', attempt: 1 },
      recipe: recipe({ phaseB }),
      ...refs,
    });
    expect(corpus.report.steps.map(({ name }) => name)).toEqual([
      'drop-disagreements',
      'held out for early stopping',
      'upsample',
    ]);
    expect(corpus.report.steps[0]).toMatchObject({
      before: { yes: 20, no: 20 },
      after: { yes: 10, no: 20 },
      removed: [{ reason: 'disagreed', counts: { yes: 10, no: 0 } }],
    });
    expect(corpus.report.responses?.byClass).toMatchObject({ valid: 30, disagreed: 10 });
    expect(corpus.report.drafts).toMatchObject({ n: 40, correct: 20 });
    expect(corpus.heldOut?.rows).toBe(6);
    expect(corpus.rows.rows).toBe(32);
    const [row] = await store.rows<SftRow>(corpus.rows);
    expect(row?.prompt).toMatch(
      /^Question: .*\nStudent draft: Answer: Yes - so it is\.\nQuestions: Why\? How\?\nReasoning:$/,
    );
    expect(row?.completion).toMatch(/^\n## Teaching Analysis\n/);
    expect(corpus.templateDigest).toBe(sha256(defaultTemplates.reasoning));
  });

  it('Phase C: pairs, with the chosen text that the recipe asks for', async () => {
    const build = async (chosen: string) => {
      const corpus = await createCorpusActivities(store).buildPairs({
        scope: { run: 'r', phase: 'C', attempt: 1 },
        recipe: recipe({ phaseC: { chosen } }),
        ...refs,
      });
      return { corpus, pairs: await store.rows<PreferencePair>(corpus.rows) };
    };
    const { corpus, pairs } = await build('final-answer');
    expect(corpus.report.pairs).toMatchObject({ n: 30, flipped: 10 });
    expect(pairs[0]?.chosen).toMatch(/^\n## Final Assessment/);
    expect((await build('full-response')).pairs[0]?.chosen).toMatch(/^\n## Teaching Analysis/);
  });
});
