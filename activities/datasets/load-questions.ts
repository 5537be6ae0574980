import { readFile } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import type { Question } from '../../domain/records.ts';
import { normaliseRows } from '../../domain/strategyqa.ts';
import { failure, failureType } from '../failure.ts';
import { linesOf } from '../store/lines.ts';
import { withSource } from './locate-source.ts';
import type { DataDeps } from './locate-source.ts';

/**
 * Reads questions from any source. JSON Lines are read as a stream; a JSON array is read whole.
 *
 * @returns at least one question, in the order of the file
 * @throws InvalidData naming source, row and field
 */
export async function loadQuestions(source: string, deps: DataDeps): Promise<Question[]> {
  try {
    return await withSource(source, deps, async (path, open) => {
      const rows =
        (await firstCharacter(open())) === '[' ? parseArray(await readFile(path, 'utf8')) : await parseLines(open());
      return normaliseRows(rows);
    });
  } catch (error) {
    // Domain's refusals say which row; which file it is the row of is known here.
    if (failureType(error) === undefined && error instanceof Error && error.name === 'InvalidData') {
      throw failure('InvalidData', `${source}: ${error.message}`);
    }
    throw error;
  }
}

async function firstCharacter(stream: Readable): Promise<string | undefined> {
  for await (const chunk of stream as AsyncIterable<string>) {
    const character = /\S/.exec(chunk.replace(/^\uFEFF/, ''))?.[0];
    if (character !== undefined) return character;
  }
  return undefined;
}

const invalidData = (message: string): Error => Object.assign(new Error(message), { name: 'InvalidData' });

function parseArray(text: string): unknown[] {
  try {
    return JSON.parse(text.replace(/^\uFEFF/, '')) as unknown[];
  } catch (error) {
    throw invalidData(
      `not JSON: ${error instanceof Error ? error.message : ''}; the file must be a JSON array or JSON Lines`,
    );
  }
}

async function parseLines(stream: Readable): Promise<unknown[]> {
  const rows: unknown[] = [];
  for await (const text of linesOf(stream)) {
    if (text.trim() === '') continue;
    try {
      rows.push(JSON.parse(text));
    } catch {
      throw invalidData(
        `row ${rows.length + 1} is not JSON: ${text.slice(0, 40)}; the file must be a JSON array or JSON Lines`,
      );
    }
  }
  return rows;
}
