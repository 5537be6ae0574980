import type { DataSource, Question } from '../../domain/records.ts';
import { normaliseRows, repeatedQuestions } from '../../domain/strategyqa.ts';
import { failure, failureType } from '../failure.ts';
import { withSource } from './locate-source.ts';
import type { DataDeps, SourceFiles } from './locate-source.ts';
import { readFileRows } from './read-rows.ts';

/** Questions with what was taken for them. */
export type LoadedData = { questions: Question[]; source: DataSource };

/** Files that the data report lists by name; it travels through the history. */
const mostListed = 16;

/** Domain's refusals say which row; which file it is the row of is known here. */
async function ofFile<T>(file: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (failureType(error) !== undefined || !(error instanceof Error) || error.name !== 'InvalidData') throw error;
    throw failure('InvalidData', `${file}: ${error.message}`);
  }
}

async function readAll(source: string, { files, revision }: SourceFiles): Promise<LoadedData> {
  const several = files.length > 1;
  const questions: Question[] = [];
  const taken: DataSource['files'] = [];
  for (const { name, path } of files) {
    await ofFile(several ? `${source} (${name})` : source, async () => {
      const rows = normaliseRows(await readFileRows(path), { emptyToo: several, before: questions });
      for (const row of rows) questions.push(row);
      taken.push({ name, rows: rows.length });
    });
  }
  if (questions.length === 0) throw failure('InvalidData', `${source}: the data set is empty: it has no rows`);
  const more = taken.length - mostListed;
  const of = {
    ...(more > 0 && { more }),
    ...(revision !== undefined && { revision }),
    ...repeatedQuestions(questions),
  };
  return { questions, source: { name: source, files: taken.slice(0, mostListed), ...of } };
}

/**
 * Reads questions from any source, and says what was taken.
 *
 * @returns at least one question, in the order of the files
 * @throws InvalidData naming source, row and field; it quotes no content beyond a short word
 */
export const loadData = (source: string, deps: DataDeps): Promise<LoadedData> =>
  withSource(source, deps, (found) => readAll(source, found));

/** The questions alone. */
export const loadQuestions = async (source: string, deps: DataDeps): Promise<Question[]> =>
  (await loadData(source, deps)).questions;
