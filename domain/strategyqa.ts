import { invalid } from './invalid.ts';
import { nearestName } from './nearest.ts';
import type { Answer, Question } from './records.ts';

/**
 * Normalises rows of StrategyQA's own file (`{qid, question, answer: bool, facts, decomposition, …}`); other fields are
 * ignored, rows may also carry `id` for `qid` and `"yes"`/`"no"` for the answer.
 */

type Row = Record<string, unknown>;

/** A value as an error shows it. */
const shown = (value: unknown): string => JSON.stringify(value).slice(0, 40);

const refuse = (row: number, problem: string): Error => invalid('InvalidData', `row ${row}: ${problem}`);

function text(row: Row, names: readonly string[], number: number): string {
  for (const name of names) {
    const value = row[name];
    if (typeof value === 'string' && value.trim() !== '') return value.trim();
    if (value !== undefined) throw refuse(number, `field ${name} must be a non-empty text, is ${shown(value)}`);
  }
  const others = Object.keys(row).filter((field) => !names.includes(field));
  const close = nearestName(names[0] ?? '', others);
  throw refuse(
    number,
    `field ${names.join(' or ')} is missing${close === null ? '' : `; is it the one called ${close}?`}`,
  );
}

function answerOf(row: Row, number: number): Answer {
  const value = row['answer'];
  if (value === true || value === 'yes' || value === 'Yes') return 'yes';
  if (value === false || value === 'no' || value === 'No') return 'no';
  const found = value === undefined ? 'is missing' : `is ${shown(value)}`;
  throw refuse(number, `field answer must be true, false, "yes" or "no", ${found}`);
}

function list(row: Row, name: string, number: number): string[] {
  const value = row[name] ?? [];
  if (Array.isArray(value) && value.every((entry): entry is string => typeof entry === 'string')) return value;
  throw refuse(number, `field ${name} must be a list of texts`);
}

/**
 * @param number of the row, counted from 1
 * @throws InvalidData naming row and field
 */
export function normaliseRow(row: unknown, number: number): Question {
  if (typeof row !== 'object' || row === null || Array.isArray(row)) throw refuse(number, 'must be an object');
  const fields = row as Row;
  return {
    id: text(fields, ['qid', 'id'], number),
    question: text(fields, ['question'], number),
    answer: answerOf(fields, number),
    facts: list(fields, 'facts', number),
    decomposition: list(fields, 'decomposition', number),
  };
}

/** @throws InvalidData when there is no row, a row is not as it should be, or an id comes twice */
export function normaliseRows(rows: readonly unknown[]): Question[] {
  if (rows.length === 0) throw invalid('InvalidData', 'the data set is empty: it has no rows');
  const seen = new Map<string, number>();
  return rows.map((row, index) => {
    const question = normaliseRow(row, index + 1);
    const first = seen.get(question.id);
    if (first !== undefined) throw refuse(index + 1, `qid ${question.id} is also that of row ${first}`);
    seen.set(question.id, index + 1);
    return question;
  });
}
