import { expect, it } from 'vitest';
import type { Answer } from '../../domain/records.ts';

/** Phrasings that models write, each with what it comes to: a row each in the tables of the `answer-*` tests. */

export type Phrasing = readonly [text: string, answer: Answer | null];

export const form = 'Based on this analysis, the answer is: **YES**';
export const final = `## Final Assessment\n${form}`;

const opposite: Readonly<Record<string, string>> = { yes: 'no', no: 'yes', Yes: 'No', No: 'Yes', YES: 'NO', NO: 'YES' };
const other = (answer: Answer | null): Answer | null => (answer === null ? null : answer === 'yes' ? 'no' : 'yes');
const turned = (text: string): string =>
  text.replaceAll(/(?<![\p{L}\p{N}\\])(?:yes|no)(?![\p{L}\p{N}])/giu, (found) => opposite[found] ?? found);

/** Each row, and the same with yes and no in each other's place: neither label is favoured. */
export const bothWays = (rows: readonly Phrasing[]): Phrasing[] =>
  rows.flatMap(([text, answer]): Phrasing[] => [
    [text, answer],
    [turned(text), other(answer)],
  ]);

/** A test per row. */
export function reads(rows: readonly Phrasing[], read: (text: string) => { answer: Answer | null }): void {
  it.each(rows)('%j → %s', (text, answer) => {
    expect(read(text).answer).toBe(answer);
  });
}
