import { describe, expect, it } from 'vitest';
import { countItems, evaluateItems, evaluationPrompts, evaluationTemplate } from '../../domain/evaluation.ts';
import type { EvaluationMode, Generated } from '../../domain/records.ts';
import { defaultTemplates } from '../../domain/templates.ts';
import { draftRow, questionRows, responseText } from './rows.ts';

const questions = questionRows(2, 2);
const drafts = questions.map(({ id }) => ({ ...draftRow(id, 'yes'), text: ` draft of ${id}\n` }));
const prompts = (mode: EvaluationMode, seed = 42) =>
  evaluationPrompts(mode, questions, drafts, defaultTemplates, seed).map(({ prompt }) => prompt);

describe('prompts', () => {
  it('by mode', () => {
    expect(prompts('direct')[0]).toBe('Question: Is 0 a number?\nAnswer:');
    expect(prompts('reasoning')[0]).toBe('Question: Is 0 a number?\nStudent draft: draft of q0000\nReasoning:');
    expect(prompts('no-draft')[0]).toBe('Question: Is 0 a number?\nReasoning:');
  });
  it('shuffled-draft gives every question the draft of another, each once', () => {
    const shuffled = prompts('shuffled-draft').map((prompt) => /draft of (q\d+)/.exec(prompt)?.[1]);
    expect(shuffled.filter((id, i) => id === questions[i]?.id)).toEqual([]);
    expect(new Set(shuffled).size).toBe(4);
    expect(prompts('shuffled-draft')).toEqual(prompts('shuffled-draft'));
    expect(evaluationTemplate('shuffled-draft', defaultTemplates)).toBe(defaultTemplates.reasoning);
  });
  it('names a missing draft', () => {
    expect(() => evaluationPrompts('reasoning', questions, drafts.slice(1), defaultTemplates, 1)).toThrow(
      'question q0000 has no draft',
    );
    expect(() => evaluationPrompts('reasoning', questions, null, defaultTemplates, 1)).toThrow('q0000 has no draft');
  });
});

describe('items', () => {
  const output = (id: string, text: string, finish: Generated['finish'] = 'stop'): Generated => ({
    id,
    text,
    tokens: 1,
    finish,
  });
  it('are read as the mode says and counted; what cannot be read is wrong', () => {
    const generated = [
      output('q0003', `\n${responseText('no')}`),
      output('q0002', responseText('yes')),
      output('q0001', 'yes yes yes', 'length'),
      output('q0000', responseText('yes')),
    ];
    const items = evaluateItems('reasoning', questions, generated);
    expect(items.map(({ id, answer, correct }) => [id, answer, correct])).toEqual([
      ['q0000', 'yes', true],
      ['q0001', null, false],
      ['q0002', 'yes', false],
      ['q0003', 'no', true],
    ]);
    expect(countItems(items)).toEqual({ n: 4, correct: 2, unparsable: 1, truncated: 1, predictedYes: 2, truthYes: 2 });
    expect(evaluateItems('direct', questions, generated)[1]?.answer).toBe('yes');
  });
  it('refuses a question without a generation', () => {
    expect(() => evaluateItems('direct', questions, [])).toThrow('question q0000 has no generation');
  });
});
