import { describe, expect, it } from 'vitest';
import { normaliseRows } from '../../domain/strategyqa.ts';

const row = {
  qid: 'a1',
  term: 'x',
  description: 'y',
  question: ' Is it? ',
  answer: true,
  facts: ['f'],
  decomposition: ['d'],
};

describe('normaliseRows', () => {
  it('takes StrategyQA rows, and those with id and yes/no', () => {
    const question = { id: 'a1', question: 'Is it?', answer: 'yes', facts: ['f'], decomposition: ['d'] };
    expect(normaliseRows([row])).toEqual([question]);
    expect(normaliseRows([{ id: 'a1', question: 'Is it?', answer: 'no' }])).toEqual([
      { ...question, answer: 'no', facts: [], decomposition: [] },
    ]);
  });
  it.each([
    [[], 'the data set is empty'],
    [[row, 7], 'row 2: must be an object'],
    [[row, { ...row, qid: undefined }], 'row 2: field qid or id is missing'],
    [[{ ...row, question: '' }], 'row 1: field question must be a non-empty text, is ""'],
    [
      [{ ...row, question: undefined, qestion: 'x' }],
      'row 1: field question is missing; is it the one called qestion?',
    ],
    [[{ ...row, answer: 'maybe' }], 'row 1: field answer must be true, false, "yes" or "no", is "maybe"'],
    [[{ ...row, answer: undefined }], 'row 1: field answer must be true, false, "yes" or "no", is missing'],
    [[{ ...row, facts: 'f' }], 'row 1: field facts must be a list of texts'],
    [[row, row], 'row 2: qid a1 is also that of row 1'],
  ])('refuses %#: %s', (rows, message) => {
    expect(() => normaliseRows(rows)).toThrow(
      expect.objectContaining({ name: 'InvalidData', message: expect.stringContaining(message) as string }) as Error,
    );
  });
});
