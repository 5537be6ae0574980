import { expect, it } from 'vitest';
import { countAgreement, countTemplates } from '../../domain/agreement.ts';
import { responseLines } from '../../domain/data-report.ts';
import { responseReport } from '../../domain/filtering.ts';
import type { Answer, TeacherResponse } from '../../domain/records.ts';
import { questionRow, responseRow } from './rows.ts';

function counted<Report>(
  counter: { add: (row: TeacherResponse) => void; report: () => Report },
  rows: TeacherResponse[],
) {
  for (const row of rows) counter.add(row);
  return counter.report();
}
const agreementOf = (rows: TeacherResponse[]) => counted(countAgreement(), rows);

/** One question per list, asked as often as the list is long. */
const asked = (truth: Answer, ...answers: (Answer | null)[][]): TeacherResponse[] =>
  answers.flatMap((list, number) =>
    list.map((answer, attempt) => responseRow(questionRow(number, truth), answer, attempt)),
  );

const four = asked('yes', ['yes', 'yes', 'yes'], ['yes', 'yes', 'no'], ['no', 'no', 'no'], ['yes', null, null]);

it('agreement is that of readable answers, right or wrong', () => {
  const agreement = agreementOf(four);
  expect(agreement).toMatchObject({ questions: 4, compared: 3, unanimous: 2 });
  expect(agreement?.majorityShare).toBeCloseTo((1 + 2 / 3 + 1) / 3, 12);
  // Observed (1 + 1/3 + 1)/3 = 63/81, by chance (5/9)² + (4/9)² = 41/81: 22/40.
  expect(agreement?.kappa).toBeCloseTo(0.55, 12);
});

it('a response that was cut off before its end does not vote, also where an answer could be read', () => {
  const [first, second, ...others] = asked('yes', ['no', 'yes', 'yes']);
  if (!first || !second) throw new Error('there are three');
  expect(agreementOf([{ ...first, class: 'truncated' }, second, ...others])).toMatchObject({
    compared: 1,
    unanimous: 1,
  });
});

it('nothing is said of questions asked once, and no κ where all answers are the same', () => {
  expect(agreementOf(asked('yes', ['yes'], ['no']))).toBeNull();
  expect(agreementOf(asked('yes', ['yes', 'yes'], ['yes', 'yes']))).toMatchObject({ unanimous: 2, kappa: null });
  expect(agreementOf(asked('yes', [null, null]))).toEqual({
    ...{ questions: 1, compared: 0, unanimous: 0 },
    ...{ majorityShare: null, kappa: null },
  });
  expect(responseReport(asked('yes', ['yes']))).not.toHaveProperty('agreement');
});

const named = (rows: TeacherResponse[], name: string) =>
  rows.map((row) => ({ ...row, template: { name, digest: name.padEnd(64, '0') } }));

it('counts each wording against the truth, by class', () => {
  const rows = [
    ...named(asked('yes', ['yes', 'no']), 'plain'),
    ...named(asked('no', ['no', 'no', null]), 'plain'),
    ...named(asked('no', ['yes']), 'terse'),
  ];
  expect(counted(countTemplates(), rows)).toEqual([
    {
      name: 'plain',
      digest: 'plain'.padEnd(64, '0'),
      n: 5,
      readable: 4,
      asked: { yes: 2, no: 3 },
      right: { yes: 1, no: 2 },
    },
    {
      name: 'terse',
      digest: 'terse'.padEnd(64, '0'),
      n: 1,
      readable: 1,
      asked: { yes: 0, no: 1 },
      right: { yes: 0, no: 0 },
    },
  ]);
  expect(responseReport(four)).not.toHaveProperty('templates');
});

it('reads as one line each, with problems by kind', () => {
  const [question] = [questionRow(9, 'no')];
  const failed = (problem: 'timeout' | 'bad-request') => responseRow(question, null, 0, { class: 'failed', problem });
  const rows = [...named(four, 'plain'), failed('timeout'), failed('bad-request'), failed('timeout')];
  expect(responseLines(responseReport(rows))).toEqual([
    'teacher responses: 15, valid 40.0 % (6/15), disagreed 26.7 % (4/15), unparsable 13.3 % (2/15), failed 20.0 % (3/15), not in the asked form 0.0 % (0/15); problems: 2 timeout, 1 bad-request',
    'agreement: 3 of 5 questions have two readable answers or more, all agree on 66.7 % (2/3), a majority has 88.9 % of the answers, Fleiss κ 0.55',
    'wording plain (plain0000000): right 50.0 % (6/12), readable 83.3 % (10/12), 100.0/0.0 % yes/no asked, 100.0/0.0 % yes/no right',
  ]);
});
