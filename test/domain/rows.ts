import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { Answer, Draft, EvaluatedItem, Question, TeacherResponse } from '../../domain/records.ts';
import type { EvaluationSummary } from '../../domain/records.ts';
import { countItems } from '../../domain/evaluation.ts';
import { dataFolder } from '../setup/data-folder.ts';

/** Rows for the tests of domain; ids are zero-padded, so their order is that of the numbers. */

export const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

export const idOf = (number: number): string => `q${String(number).padStart(4, '0')}`;

export const questionRow = (number: number, answer: Answer): Question => ({
  id: idOf(number),
  question: `Is ${number} a number?`,
  answer,
  facts: [`${number} is a number.`],
  decomposition: ['Is #1 a number?'],
});

/** The first `yes` rows are yes, the rest no. */
export const questionRows = (yes: number, no: number): Question[] =>
  Array.from({ length: yes + no }, (_, i) => questionRow(i, i < yes ? 'yes' : 'no'));

export const draftRow = (id: string, answer: Answer | null): Draft => ({
  id,
  text: answer === null ? ' I cannot say.' : ` Answer: ${answer === 'yes' ? 'Yes' : 'No'} - so.\nQuestions: Why? How?`,
  tokens: 9,
  finish: 'stop',
  answer,
  questions: answer === null ? null : 'Why? How?',
  strict: answer !== null,
});

export const responseText = (answer: Answer): string =>
  [
    '## Teaching Analysis',
    'The student answers. The facts decide.',
    '',
    '## Step-by-Step Reasoning',
    '1. A fact.',
    `2. Is it so? ${answer === 'yes' ? 'Yes' : 'No'}.`,
    '',
    '## Final Assessment',
    `Based on this analysis, the answer is: **${answer.toUpperCase()}**`,
  ].join('\n');

export const responseRow = (
  question: Question,
  answer: Answer | null,
  attempt = 0,
  own: Partial<TeacherResponse> = {},
): TeacherResponse => ({
  id: question.id,
  attempt,
  text: answer === null ? 'Who knows.' : responseText(answer),
  answer,
  truth: question.answer,
  class: answer === null ? 'unparsable' : answer === question.answer ? 'valid' : 'disagreed',
  strict: answer !== null,
  requestDigest: sha256(`${question.id}:${attempt}`),
  inputTokens: 100,
  outputTokens: 50,
  costUsd: 0,
  reused: false,
  ...own,
});

/**
 * Evaluated items with given answers: `yes` and `no` as truth with how many of each were answered rightly. The right
 * ones come first within a class; `offset` rotates which ones, to set the overlap of two evaluations.
 */
export function evaluated(counts: {
  yes: number;
  no: number;
  rightYes: number;
  rightNo: number;
  offset?: number;
}): EvaluatedItem[] {
  const { yes, no, rightYes, rightNo, offset = 0 } = counts;
  return Array.from({ length: yes + no }, (_, i) => {
    const truth: Answer = i < yes ? 'yes' : 'no';
    const [place, size, right] = truth === 'yes' ? [i, yes, rightYes] : [i - yes, no, rightNo];
    const correct = (place + offset) % size < right;
    const answer: Answer = correct ? truth : truth === 'yes' ? 'no' : 'yes';
    return { id: idOf(i), truth, answer, correct, finish: 'stop', text: answer };
  });
}

export const summaryOf = (
  name: string,
  items: readonly EvaluatedItem[],
  templateDigest = 'reasoning-template',
): EvaluationSummary => ({
  name,
  items: { uri: `s3://runs/${name}.jsonl`, sha256: sha256(JSON.stringify(items)), bytes: 1, rows: items.length },
  ...countItems(items),
  templateDigest,
  adapterSha256: sha256(name.slice(0, 1)),
});

const strategyQa = path.join(dataFolder, 'strategyqa/train.json');

/** Rows of the real StrategyQA file, or null where there is none. */
export const realRows = (): unknown[] | null =>
  existsSync(strategyQa) ? (JSON.parse(readFileSync(strategyQa, 'utf8')) as unknown[]) : null;

export const noData = `no StrategyQA at ${strategyQa}; set RATCHET_DATA to the folder that holds strategyqa/train.json`;
