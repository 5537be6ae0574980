import { settle, statementsOf } from './answer-statements.ts';
import { leadingAnswer, standingAnswers } from './answer-words.ts';
import type { Answer } from './records.ts';

/**
 * Reading yes or no out of what a model wrote. Everything here is one pass over the text, so that megabytes of brackets
 * cost megabytes of time and no more.
 */

/** `strict` = the text has exactly the asked form; an answer may be readable (not null) without it. */
export type ParsedAnswer = { answer: Answer | null; strict: boolean };

/** Leads over from an answer to its opposite. */
const takenBack = /(?<![\p{L}])(?:actually|wait|correction|sorry|on second thoughts?|i mean|rather)(?![\p{L}])/iu;
/** `not yes`, `whether yes`: the answers of a sentence with one of these are not told apart. */
const unclearWords =
  /(?<![\p{L}])(?:not|cannot|never|neither|either|whether|if|unless|nor|[\p{L}]+n['’]t|sa(?:id|ys?)|claim(?:s|ed)?)(?![\p{L}])/iu;
/** How much of an answer that is given at once is read, in characters. */
const directReach = 2_000;

/** What one sentence comes to that begins with no answer: `I think yes`. */
function answerWithin(sentence: string): Answer | null {
  const { labels, unclear } = standingAnswers(sentence);
  const [first] = labels;
  if (first === undefined || unclear || sentence.trimEnd().endsWith('?')) return null;
  if (unclearWords.test(sentence.slice(0, first.start))) return null;
  return labels.every(({ answer }) => answer === first.answer) ? first.answer : null;
}

/** What is said after a leading answer leaves it as it is. */
function staysSo(answer: Answer, rest: string): boolean {
  const [next] = standingAnswers(rest).labels;
  if (next === undefined || next.answer === answer) return true;
  const between = rest.slice(0, next.start);
  return /[\p{L}\p{N}]/u.test(between) && !takenBack.test(between.slice(-40));
}

function directAnswer(text: string): Answer | null {
  const start = text.trimStart().slice(0, directReach);
  const line = start.split(/\r?\n/, 1)[0] ?? '';
  const leading = leadingAnswer(line);
  if (leading !== null) return staysSo(leading.answer, start.slice(leading.end)) ? leading.answer : null;
  const stated = settle(statementsOf(start.split(/\r?\n/), false));
  if (stated !== undefined) return stated;
  return answerWithin(/^[^.!?]*[.!?]?/.exec(line)?.[0] ?? '');
}

/**
 * Answer to Phase A's prompt, where it is the first thing written: `yes`, ` No.`, `**Yes**, because …`; else one that the
 * text states, else the only one of its first sentence.
 * Strict: nothing but the word, in any case, with at most a full stop.
 */
export function parseDirectAnswer(text: string): ParsedAnswer {
  const answer = directAnswer(text);
  return { answer, strict: answer !== null && /^\s{0,8}(?:yes|no)\.?\s{0,8}$/i.test(text.length > 32 ? '' : text) };
}

const finalHeading = /^[\s#*_>\d.]{0,16}final (?:assessment|answer)[\s*_:#]{0,16}$/i;
const strictLine = /^Based on this analysis, the answer is: \*\*(YES|NO)\*\*$/;
const labelWord = /(?<![\p{L}\p{N}])(?:yes|no)(?![\p{L}\p{N}])/iu;

function reasonedAnswer(lines: readonly string[]): Answer | null {
  const headings = lines.flatMap((line, index) => (line.length < 80 && finalHeading.test(line) ? [index] : []));
  for (let i = headings.length - 1; i >= 0; i--) {
    const section = lines.slice((headings[i] ?? 0) + 1, headings[i + 1]);
    if (section.every((line) => line.trim() === '')) continue;
    const answer = settle(statementsOf(section, true));
    if (answer !== undefined) return answer;
    // It says something of yes or no that is no answer, so an answer from before it does not count either.
    if (section.some((line) => labelWord.test(line))) return null;
    const forms = statementsOf(lines.slice(0, headings[i]), false).filter(({ form }) => form);
    return settle(forms) ?? null;
  }
  return settle(statementsOf(lines, false)) ?? null;
}

/**
 * Answer of a text that reasons first: what it states under its last `Final Assessment` heading, else what it states
 * anywhere. The asked form (`the answer is: **YES**`) wins over other words, before or after it. A yes or no within the
 * reasoning never counts, nor does an answer that is another's, quoted, denied, asked or left open. Null where there is
 * none, and where answers contradict each other without a word such as `actually` or `therefore` between them.
 * Strict: the last line is `Based on this analysis, the answer is: **YES**` (or NO) word for word.
 */
export function parseReasoningAnswer(text: string): ParsedAnswer {
  const lines = text.split(/\r?\n/);
  const answer = reasonedAnswer(lines);
  const lastLine = lines.findLast((line) => line.trim() !== '')?.trim() ?? '';
  return { answer, strict: answer !== null && strictLine.test(lastLine) };
}

const opposites: Readonly<Record<string, string>> = {
  yes: 'no',
  no: 'yes',
  Yes: 'No',
  No: 'Yes',
  YES: 'NO',
  NO: 'YES',
};
/** Words tried from the end; a text that repeats its answer more often decides it before. */
const triedWords = 64;

/**
 * The word that a reasoned answer rests on: the last yes or no with whose opposite in its place the text would answer the
 * opposite. Null where the text has no answer, or no single word decides it.
 */
export function decidingWord(text: string): { start: number; end: number; opposite: string } | null {
  const { answer } = parseReasoningAnswer(text);
  if (answer === null) return null;
  const words = [...text.matchAll(/\b(?:yes|no)\b/gi)].slice(-triedWords).reverse();
  for (const { 0: found, index: start } of words) {
    const end = start + found.length;
    const opposite = opposites[found] ?? opposites[found.toLowerCase()] ?? '';
    const turned = parseReasoningAnswer(text.slice(0, start) + opposite + text.slice(end)).answer;
    if (turned !== null && turned !== answer) return { start, end, opposite };
  }
  return null;
}
