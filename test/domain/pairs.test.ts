import { describe, expect, it } from 'vitest';
import { flipAnswer, preferencePairs } from '../../domain/pairs.ts';
import { parseReasoningAnswer } from '../../domain/parse-answer.ts';
import { defaultTemplates } from '../../domain/templates.ts';
import { draftRow, questionRow, questionRows, responseRow, responseText } from './rows.ts';

const questions = questionRows(2, 3);
const drafts = [
  draftRow('q0000', 'yes'),
  draftRow('q0001', 'no'),
  draftRow('q0002', null),
  draftRow('q0003', 'yes'),
  draftRow('q0004', 'no'),
];
const responses = [
  responseRow(questionRow(0, 'yes'), 'yes'),
  responseRow(questionRow(1, 'yes'), 'no'),
  responseRow(questionRow(1, 'yes'), 'yes', 2, { text: 'later' }),
  responseRow(questionRow(1, 'yes'), 'yes', 1, { text: 'sooner' }),
  responseRow(questionRow(2, 'no'), 'no'),
  responseRow(questionRow(3, 'no'), 'no'),
  responseRow(questionRow(4, 'no'), 'yes'),
];

describe('preferencePairs', () => {
  const built = preferencePairs(questions, drafts, responses, defaultTemplates, 'final-answer');
  it('chooses the final assessment and rejects a wrong draft, else the flipped assessment', () => {
    expect(built.rows.map(({ id, origin }) => [id, origin])).toEqual([
      ['q0000', 'flipped'],
      ['q0001', 'wrong-draft'],
      ['q0002', 'flipped'],
      ['q0003', 'wrong-draft'],
    ]);
    expect(built.rows[0]).toEqual({
      id: 'q0000',
      prompt: 'Question: Is 0 a number?\nStudent draft: Answer: Yes - so.\nQuestions: Why? How?\nReasoning:',
      chosen: '\n## Final Assessment\nBased on this analysis, the answer is: **YES**',
      rejected: '\n## Final Assessment\nBased on this analysis, the answer is: **NO**',
      origin: 'flipped',
    });
    expect(built.rows[1]?.rejected).toBe('\nAnswer: No - so.\nQuestions: Why? How?');
  });
  it('reports what was left out, flipped and how long both sides are', () => {
    expect(built.steps).toEqual([
      {
        name: 'pairs',
        before: { yes: 2, no: 3 },
        after: { yes: 2, no: 2 },
        removed: [{ reason: 'no agreeing response', counts: { yes: 0, no: 1 } }],
      },
    ]);
    expect(built.report).toMatchObject({ n: 4, flipped: 2, duplicates: 0 });
    expect(built.report.meanChosenChars).toBeGreaterThan(built.report.meanRejectedChars);
  });
  it('takes the whole first agreeing response when asked', () => {
    const full = preferencePairs(questions, drafts, responses, defaultTemplates, 'full-response');
    expect(full.rows[1]?.chosen).toBe('\nsooner');
    expect(full.rows[2]?.chosen).toBe(`\n${responseText('no')}`);
    expect(parseReasoningAnswer(full.rows[2]?.rejected ?? '').answer).toBe('yes');
  });
  it('keeps equal pairs once and counts them', () => {
    const twice = [questionRow(0, 'yes'), { ...questionRow(0, 'yes'), id: 'q0009' }];
    const { rows, report, steps } = preferencePairs(
      twice,
      twice.map(({ id }) => draftRow(id, 'yes')),
      twice.map((row) => responseRow(row, 'yes')),
      defaultTemplates,
      'final-answer',
    );
    expect([rows.length, report.duplicates, steps[0]?.removed]).toEqual([
      1,
      1,
      [{ reason: 'duplicate', counts: { yes: 1, no: 0 } }],
    ]);
  });
  it('refuses when nothing is left or a draft is missing', () => {
    expect(() => preferencePairs(questions, drafts, [], defaultTemplates, 'final-answer')).toThrow(
      'no preference pair',
    );
    expect(() => preferencePairs(questions, [], responses, defaultTemplates, 'final-answer')).toThrow(
      'q0000 has no draft',
    );
  });
});

describe('flipAnswer', () => {
  it('changes the conclusion and the assessment, nothing else', () => {
    expect(flipAnswer(responseText('yes'), 'yes')).toBe(responseText('no'));
    expect(flipAnswer(responseText('no'), 'no')).toBe(responseText('yes'));
  });
  it('gives a text without an assessment one, in the evaluated form', () => {
    expect(flipAnswer('Reasons only.', 'yes')).toBe(
      'Reasons only.\n\n## Final Assessment\nBased on this analysis, the answer is: **NO**',
    );
    expect(parseReasoningAnswer(flipAnswer('It is yes.', 'yes'))).toEqual({ answer: 'no', strict: true });
  });
  it('takes megabytes', () => {
    expect(flipAnswer(`${'final assessment '.repeat(200_000)}#####`, 'yes')).toContain('**NO**');
  });
});
