import { describe, expect, it } from 'vitest';
import {
  defaultTemplates,
  fillTemplate,
  resolveTemplates,
  templateNames,
  templateProblems,
  withoutDraft,
} from '../../domain/templates.ts';

describe('fillTemplate', () => {
  it('fills the reasoning prompt of the specification', () => {
    const draft = 'Answer: Yes - so.\nQuestions: Why?';
    expect(fillTemplate(defaultTemplates.reasoning, { question: 'Is it?', draft })).toBe(
      'Question: Is it?\nStudent draft: Answer: Yes - so.\nQuestions: Why?\nReasoning:',
    );
    expect(fillTemplate(defaultTemplates.answer, { question: 'Is it?' })).toBe('Question: Is it?\nAnswer:');
  });
  it('leaves braces and dollar signs of values alone', () => {
    expect(fillTemplate('{question}', { question: '{draft} $& {question}' })).toBe('{draft} $& {question}');
  });
  it('names the placeholder without a value, also names that objects inherit', () => {
    expect(() => fillTemplate('{question} {draft}', { question: 'x' })).toThrow(
      '{draft}, which has no value here; known: {question}',
    );
    expect(() => fillTemplate('{constructor}', {})).toThrow('{constructor}');
  });
});

describe('templateProblems', () => {
  it('finds none in the defaults', () => {
    expect(templateNames.flatMap((name) => templateProblems(name, defaultTemplates[name]))).toEqual([]);
  });
  it.each([
    ['answer', 'Q: {qestion}\nA:', 'lacks {question}'],
    ['answer', 'Q: {question} {draft}:', 'has {draft}, which nothing fills; this template takes {question}'],
    ['reasoning', 'Q: {question}', 'lacks {draft}'],
    ['reasoning', 'Q: {question}\nD: {draft}\nR:\n', 'ends with white space'],
    ['reasoning', 'Q: {question} D: {draft}\nR:', 'a line of its own'],
    ['teacherSystem', 'Judge {question}.', 'takes no placeholder at all'],
    ['teacherUser', '  ', 'is empty'],
  ] as const)('%s: %j', (name, template, problem) => {
    expect(templateProblems(name, template).join('; ')).toContain(problem);
  });
});

describe('the no-draft ablation', () => {
  it('leaves out the lines with the draft and nothing else', () => {
    expect(withoutDraft(defaultTemplates.reasoning)).toBe('Question: {question}\nReasoning:');
    expect(withoutDraft('A\nQ: {question}\nDraft:\n{draft}\nR:')).toBe('A\nQ: {question}\nDraft:\nR:');
  });
});

it('a recipe replaces single templates', () => {
  const own = resolveTemplates({ draft: 'Question: {question}\nStudent draft:' });
  expect(own).toEqual({ ...defaultTemplates, draft: 'Question: {question}\nStudent draft:' });
});
