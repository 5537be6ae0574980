import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Question } from '../../domain/records.ts';
import { startTeacherStack } from '../setup/teacher-stack.ts';
import type { TeacherStack } from '../setup/teacher-stack.ts';
import { startOddBatches } from './odd-batches.ts';
import type { BatchBody, Oddity } from './odd-batches.ts';
import { someQuestions } from './stage.ts';
import { exact } from './teachers.ts';

let stack: TeacherStack;
beforeAll(async () => {
  stack = await startTeacherStack({ baseUrl: 'http://127.0.0.1:1/v1', apiKey: 'a-key' });
});
afterAll(() => stack.stop());

const without = (batch: BatchBody, ...fields: string[]): BatchBody =>
  Object.fromEntries(Object.entries(batch).filter(([name]) => !fields.includes(name)));
/** Every second question is asked twice: another id, the same words. */
const twice = (questions: Question[]): Question[] =>
  questions.flatMap((question, index) => (index % 2 ? [question] : [question, { ...question, id: `${question.id}b` }]));

type Case = Oddity & {
  name: string;
  questions?: Question[];
  /** Requests that are to be paid; default: one for each question. */
  paid?: number;
  /** Default: 1. */
  batches?: number;
};

const cases: Case[] = [
  { name: 'one question twice', questions: twice(someQuestions(10)), paid: 10 },
  { name: 'an error file without a name', batch: (batch) => ({ ...batch, error_file_id: '' }) },
  { name: 'no word of an error file', batch: (batch) => without(batch, 'error_file_id') },
  { name: 'an error file that is not there', batch: (batch) => ({ ...batch, error_file_id: 'null' }) },
  { name: 'one file named twice', batch: (batch) => ({ ...batch, error_file_id: batch['output_file_id'] }) },
  { name: 'no counts, and its status in capitals', batch: (batch) => capitals(without(batch, 'request_counts')) },
  { name: 'nothing but its status and its file', batch: ({ status, output_file_id }) => ({ status, output_file_id }) },
  { name: 'answers whose file is named later', batch: (batch, look) => unnamed(batch, look <= 2, null) },
  { name: 'answers whose file is named "" at first', batch: (batch, look) => unnamed(batch, look <= 2, '') },
  { name: 'a batch that is not known at first', batch: (batch, look) => (look <= 2 ? undefined : batch) },
  {
    name: 'a file that is not there at first',
    content: (text, read) =>
      read <= 2 ? { status: 404, body: '{"error":{"message":"No such File object"}}' } : { body: text },
  },
  {
    name: 'a file of which half is there at first',
    content: (text, read) => ({ body: read === 1 ? text.slice(0, text.length / 2) : text }),
  },
  {
    name: 'blank lines, CRLF and a byte order mark',
    content: (text) => ({ body: `\uFEFF\r\n${text.replaceAll('\n', '\r\n\r\n')}\n \n` }),
  },
  { name: 'every line twice', content: (text) => ({ body: text + text }) },
  {
    name: 'lines about what was not sent',
    content: (text) => ({
      body: `${text.replace(/"custom_id":"\w+"/, '"custom_id":"nobody"')}${text}{"custom_id":7}\n[]\nnull\n`,
    }),
  },
  {
    name: 'an end before everything was answered, and no error file',
    env: { RATCHET_SIMULATED_TEACHER_BATCH_FAULTS: 'expired:1' },
    batch: (batch) => ({ ...batch, error_file_id: '' }),
    batches: 6,
  },
];

function capitals(batch: BatchBody): BatchBody {
  return { ...batch, status: String(batch['status']).toUpperCase() };
}

function unnamed(batch: BatchBody, isYet: boolean, as: string | null): BatchBody {
  return isYet ? { ...batch, output_file_id: as } : batch;
}

const runNamed = (name: string): string => name.replace(/\W+/g, '-');

/** Requests of one case are not those of another, whose answers lie in the same bucket. */
let maxTokens = 500;
const recipeFor = (baseUrl: string, batch: object = {}) => ({
  teacher: {
    ...{ mode: 'batch', baseUrl, model: 'simulated-teacher', maxTokens: (maxTokens += 1), ...exact },
    batch: { pollMinutes: 20 / 60_000, maxRounds: 6, ...batch },
  },
});

describe('a provider of batches with', () => {
  it.each(cases)('$name: every row comes, and each request is paid once', async (one) => {
    const { name, questions = someQuestions(20), paid = questions.length, batches = 1, ...oddity } = one;
    const server = await startOddBatches(oddity);
    try {
      const { asked } = await stack.run(await stack.prepare(runNamed(name), questions, recipeFor(server.baseUrl)));
      const rows = await stack.rows(asked);
      expect(rows.map(({ id }) => id)).toEqual(questions.map(({ id }) => id));
      expect(new Set(rows.map((row) => row.class))).toEqual(new Set(['valid']));
      expect(await server.stats()).toMatchObject({ answered: paid, paidTwice: 0 });
      const { data } = (await (await fetch(`${server.baseUrl}/batches`)).json()) as { data: unknown[] };
      expect(data).toHaveLength(batches);
    } finally {
      await server.stop();
    }
  });

  it('an error of its own in place of a batch: another is sent', async () => {
    let refused: unknown = null;
    const data = [{ code: 'server_error', message: 'The server had an error', line: null }];
    const server = await startOddBatches({
      batch: (batch) => {
        refused ??= batch['id'];
        if (batch['id'] !== refused) return batch;
        return { ...without(batch, 'output_file_id', 'error_file_id'), status: 'failed', errors: { data } };
      },
    });
    try {
      const { asked } = await stack.run(
        await stack.prepare('server-error', someQuestions(5), recipeFor(server.baseUrl)),
      );
      expect(asked.report.byClass.valid).toBe(5);
    } finally {
      await server.stop();
    }
  });
});
