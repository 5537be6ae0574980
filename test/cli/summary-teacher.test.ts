import { expect, it } from 'vitest';
import { summary } from '../../cli/summary.ts';
import { paintFor } from '../../cli/terminal.ts';
import { finished } from './fake-context.ts';

const plain = paintFor(false);

it('the summary says what the teacher’s responses came to, with every problem by kind', () => {
  const { state } = finished();
  const { teacher } = state;
  if (teacher === null) throw new Error('the run has a teacher');
  const byClass = { ...teacher.report.byClass, valid: 130, disagreed: 60, failed: 10 };
  const problems = { 'server-error': 7, 'context-too-long': 3 };
  const agreement = { questions: 40, compared: 40, unanimous: 30, majorityShare: 0.9, kappa: -0.05 };
  const lines = summary(
    { ...state, teacher: { ...teacher, report: { ...teacher.report, byClass, problems, agreement } } },
    plain,
  );
  const at = lines.findIndex((line) => line.startsWith('Teacher '));
  expect(lines.slice(at, at + 2)).toEqual([
    'Teacher  responses: 200, valid 65.0 % (130/200), disagreed 30.0 % (60/200), unparsable 0.0 % (0/200), failed 5.0 % (10/200), not in the asked form 2.0 % (4/200); problems: 7 server-error, 3 context-too-long',
    '         agreement: 40 of 40 questions have two readable answers or more, all agree on 75.0 % (30/40), a majority has 90.0 % of the answers, Fleiss κ −0.05',
  ]);
  expect(summary({ ...state, teacher: null }, plain).some((line) => line.startsWith('Teacher'))).toBe(false);
});
