import { invalid } from './invalid.ts';
import { nearestName } from './nearest.ts';
import type { Answer, Question } from './records.ts';

/**
 * Normalises rows of StrategyQA's own file (`{qid, question, answer: bool, facts, decomposition, …}`); other fields are
 * ignored, rows may also carry `id` for `qid` and `"yes"`/`"no"` for the answer.
 */

type Row = Record<string, unknown>;

/** Longest text of a field, in characters: a longer question fits no prompt. */
const mostChars = 32_768;

/** A value as an error shows it: a short word as it is, else its kind. A file that is no data set may hold secrets. */
function shown(value: unknown): string {
  if (typeof value === 'string') {
    if (/^[A-Za-z]{0,12}$/.test(value)) return `"${value}"`;
    return value.trim() === '' ? 'white space' : `a text of ${value.length} characters`;
  }
  if (value === null || typeof value === 'boolean') return String(value);
  return Array.isArray(value) ? 'a list' : typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

/** Why a text cannot be used, in words that hold nothing of it; null = nothing. */
function textProblem(text: string): string | null {
  if (text.length > mostChars) return `is ${text.length} characters long, more than ${mostChars}`;
  if (!text.isWellFormed()) {
    const at = text.search(/[\uD800-\uDFFF]/u) + 1;
    return `holds half of a character (a lone surrogate, at character ${at}), which no text file can`;
  }
  return text.includes('\0') ? `holds a NUL character (at character ${text.indexOf('\0') + 1})` : null;
}

const refuse = (row: number, problem: string): Error => invalid('InvalidData', `row ${row}: ${problem}`);

function text(row: Row, names: readonly string[], number: number): string {
  for (const name of names) {
    const value = row[name];
    if (typeof value === 'string' && value.trim() !== '') {
      const problem = textProblem(value);
      if (problem !== null) throw refuse(number, `field ${name} ${problem}`);
      return value.trim();
    }
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
  if (!Array.isArray(value) || !value.every((entry): entry is string => typeof entry === 'string'))
    throw refuse(number, `field ${name} must be a list of texts`);
  const problem = value.map(textProblem).find((found) => found !== null);
  if (problem !== undefined) throw refuse(number, `field ${name} ${problem}`);
  return value;
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

/** Rows that go on those of other files. */
export type RowsOf = { emptyToo?: boolean; before?: readonly Question[] };

/** An id as a message shows it: as long as it looks like one. */
const shownId = (id: string): string => (/^[\w.:/-]{1,32}$/.test(id) ? ` ${id}` : '');

/** @throws InvalidData when there is no row, a row is not as it should be, or an id comes twice */
export function normaliseRows(rows: readonly unknown[], { emptyToo = false, before = [] }: RowsOf = {}): Question[] {
  if (rows.length === 0 && !emptyToo) throw invalid('InvalidData', 'the data set is empty: it has no rows');
  const earlier = new Set(before.map(({ id }) => id));
  const seen = new Map<string, number>();
  return rows.map((row, index) => {
    const question = normaliseRow(row, index + 1);
    const first = seen.get(question.id);
    if (first !== undefined) throw refuse(index + 1, `qid${shownId(question.id)} is also that of row ${first}`);
    if (earlier.has(question.id)) throw refuse(index + 1, `qid${shownId(question.id)} is also in an earlier file`);
    seen.set(question.id, index + 1);
    return question;
  });
}

/** Questions that come more than once; `contradicting` of them with both answers. */
export type RepeatedQuestions = {
  repeated?: number;
  contradicting?: { count: number; first: [id: string, id: string] };
};

const sameQuestion = ({ question }: Question): string => question.toLowerCase().replaceAll(/\s+/g, ' ');

/** Counts of what comes more than once, whatever the case and white space; empty where nothing does. */
export function repeatedQuestions(questions: readonly Question[]): RepeatedQuestions {
  const several = [...Map.groupBy(questions, sameQuestion).values()].filter((same) => same.length > 1);
  const pairs = several.flatMap((same): [string, string][] => {
    const [first] = same;
    const other = same.find(({ answer }) => answer !== first?.answer);
    return first && other ? [[first.id, other.id]] : [];
  });
  const [first] = pairs;
  return {
    ...(several.length > 0 && { repeated: several.length }),
    ...(first && { contradicting: { count: pairs.length, first } }),
  };
}
