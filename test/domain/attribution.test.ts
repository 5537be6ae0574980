import { describe, expect, it } from 'vitest';
import {
  attributionInputs,
  completenessError,
  draftRanges,
  draftShare,
  median,
  relativeError,
  tokenShare,
} from '../../domain/attribution.ts';
import { evaluationPrompts } from '../../domain/evaluation.ts';
import type { AttributedItem, EvaluatedItem } from '../../domain/records.ts';
import { defaultTemplates } from '../../domain/templates.ts';
import { draftRow, questionRows, responseText } from './rows.ts';

const questions = questionRows(10, 10);
const drafts = questions.map(({ id }) => draftRow(id, 'yes'));
const evaluated = questions.map(({ id, answer }): EvaluatedItem => {
  return { id, truth: answer, answer: 'yes', correct: answer === 'yes', finish: 'stop', text: responseText('yes') };
});

describe('what is attributed', () => {
  const drawn = (items: number, seed = 3) =>
    attributionInputs(questions, drafts, evaluated, defaultTemplates, { items, seed });

  it('is a seeded draw of the answers, as they were asked and answered', () => {
    const { inputs, answers, leftOut } = drawn(8);
    expect(inputs).toHaveLength(8);
    expect(leftOut).toEqual({ noAnswer: 0, noDraft: 0 });
    expect(inputs.map(({ id }) => id)).toEqual(answers.map(({ id }) => id));
    expect(drawn(8)).toEqual(drawn(8));
    expect(drawn(8, 4).inputs.map(({ id }) => id)).not.toEqual(inputs.map(({ id }) => id));
    expect(drawn(99).inputs).toHaveLength(20);
    const prompts = new Map(
      evaluationPrompts('reasoning', questions, drafts, defaultTemplates, 0).map(({ id, prompt }) => [id, prompt]),
    );
    for (const { id, prompt, draft, answer, other } of inputs) {
      expect(prompt).toBe(prompts.get(id));
      expect(draft.map(([start, end]) => Array.from(prompt).slice(start, end).join(''))).toEqual([
        'Answer: Yes - so.\nQuestions: Why? How?',
      ]);
      expect(answer).toBe(responseText('yes').slice(0, -2));
      expect(other).toBe(`${answer.slice(0, -3)}NO`);
    }
  });

  it('leaves out and counts what has no readable answer or no draft', () => {
    const some = evaluated.map((item, index): EvaluatedItem =>
      index % 4 === 0 ? { ...item, answer: null, text: 'Who knows?' } : item,
    );
    const fewer = drafts.map((draft, index) => (index % 10 === 1 ? { ...draft, text: ' \n' } : draft));
    const { inputs, leftOut } = attributionInputs(questions, fewer, some, defaultTemplates, { items: 20, seed: 1 });
    expect(leftOut).toEqual({ noAnswer: 5, noDraft: 2 });
    expect(inputs).toHaveLength(13);
  });

  it('refuses an evaluation of other questions', () => {
    const others = questions.slice(1);
    const draw = { items: 20, seed: 1 };
    expect(() => attributionInputs(others, drafts, evaluated, defaultTemplates, draw)).toThrow(
      'evaluated item q0000 is none of the questions',
    );
  });

  it('finds the draft by code points, as often as the template has it', () => {
    const template = '🦙 {question}\n{draft}\nAgain: {draft}.';
    const [question, draft] = ['Größer – 日本?', '🐑 nö'];
    const prompt = Array.from(template.replace('{question}', question).replaceAll('{draft}', draft));
    const ranges = draftRanges(template, question, draft);
    expect(ranges.map(([start, end]) => prompt.slice(start, end).join(''))).toEqual([draft, draft]);
  });
});

describe('shares of an answer', () => {
  const token = (attribution: number, draft: boolean, special = false) => ({ text: 'x', draft, special, attribution });
  const item: AttributedItem = {
    ...{ id: 'q', truth: 'yes', answer: 'no', score: 2, baselineScore: -1 },
    tokens: [token(0, false, true), token(1, false), token(-2, true), token(3, true), token(2, false), token(0, false)],
  };
  it('are of the absolute mass, and of the ordinary tokens', () => {
    expect(draftShare(item)).toBeCloseTo(5 / 8, 12);
    expect(tokenShare(item)).toBeCloseTo(2 / 5, 12);
  });
  it('completeness: attributions must sum to the change of the score', () => {
    expect(completenessError(item)).toBeCloseTo(1 / 8, 12);
    expect(relativeError(item)).toBeCloseTo(1 / 3, 12);
  });
  it('an answer that nothing moves has no share', () => {
    const still = { ...item, tokens: [token(0, true)], score: 1, baselineScore: 1 };
    expect([draftShare(still), completenessError(still)]).toEqual([0, 0]);
  });
  it('the median is the middle', () => {
    expect([median([3, 1, 2]), median([4, 1, 2, 3]), median([])]).toEqual([2, 2.5, Number.NaN]);
  });
});
