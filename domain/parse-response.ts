import { parseReasoningAnswer } from './parse-answer.ts';
import type { ParsedAnswer } from './parse-answer.ts';
import type { Answer, Finish, ResponseClass } from './records.ts';

const headings = ['## Teaching Analysis', '## Step-by-Step Reasoning', '## Final Assessment'];

/** A teacher response. `complete` = its final assessment was reached and can be read. */
export type ParsedResponse = ParsedAnswer & { complete: boolean };

/**
 * Reads a teacher response leniently (case, markdown, missing headings, text after the answer). Several assessments: the
 * last counts. Strict: the three headings of the specification once each, in order, text under each, and the last line
 * word for word.
 */
export function parseResponse(text: string): ParsedResponse {
  const parsed = parseReasoningAnswer(text);
  const lines = text.trim().split(/\r?\n/);
  const places = headings.map((heading) => lines.indexOf(heading));
  const inOrder = places.every((place, i) => place >= 0 && (i === 0 ? place === 0 : place > (places[i - 1] ?? 0) + 1));
  const once = lines.filter((line) => headings.includes(line)).length === headings.length;
  const reached = /final assessment/i.test(text.slice(-4000));
  return {
    answer: parsed.answer,
    strict: parsed.strict && inOrder && once,
    complete: parsed.answer !== null && reached,
  };
}

/**
 * Class of a response that arrived (`refused` and `failed` come from the call itself). One that ended by its token limit
 * is `truncated` unless its final assessment had been reached.
 */
export function classifyResponse(parsed: ParsedResponse, truth: Answer, finish: Finish): ResponseClass {
  if (finish === 'length' && !parsed.complete) return 'truncated';
  if (parsed.answer === null) return 'unparsable';
  return parsed.answer === truth ? 'valid' : 'disagreed';
}
