import type { Answer } from './records.ts';

/**
 * Reading yes or no out of what a model wrote. Everything here is one pass over the text, so that megabytes of brackets
 * cost megabytes of time and no more.
 */

/** `strict` = the text has exactly the asked form; an answer may be readable (not null) without it. */
export type ParsedAnswer = { answer: Answer | null; strict: boolean };

const word = /[a-z']+/g;
/** What may stand between `the answer is` and the answer itself. */
const filler = new Set([
  'a',
  'an',
  'the',
  'is',
  'clearly',
  'definitely',
  'most',
  'likely',
  'probably',
  'therefore',
  'thus',
  'simply',
  'still',
  'indeed',
  'final',
  'answer',
  'strong',
  'resounding',
]);

const asAnswer = (text: string | undefined): Answer | null => (text === 'yes' || text === 'no' ? text : null);

/** `yes/no` and `yes or no` leave the choice open: an echoed template is not an answer. */
const leavesOpen = (rest: string): boolean =>
  /^\W{0,8}(?:or\W{1,4})?(?:yes|no)\b/.test(rest) && /^\W{0,8}[/|]|^\W{1,8}or\b/.test(rest);

/** The first `yes` or `no` as a word of its own. */
function firstAnswer(lower: string): Answer | null {
  const match = /\b(yes|no)\b/.exec(lower);
  if (match === null) return null;
  const rest = lower.slice(match.index + match[0].length, match.index + match[0].length + 40);
  return leavesOpen(rest) ? null : asAnswer(match[1]);
}

/**
 * Answer to Phase A's prompt, where it is the first thing written: `yes`, ` No.`, `**Yes**, because …`.
 * Strict: nothing but the word, in any case, with at most a full stop.
 */
export function parseDirectAnswer(text: string): ParsedAnswer {
  const answer = firstAnswer(text.toLowerCase());
  return { answer, strict: answer !== null && /^\s{0,8}(?:yes|no)\.?\s{0,8}$/i.test(text.length > 32 ? '' : text) };
}

/** The answer that directly follows a phrase: only markdown and a few filler words may stand between. */
export function answerAfter(rest: string): Answer | null {
  const window = rest.slice(0, 160).toLowerCase();
  for (const match of window.matchAll(word)) {
    const answer = asAnswer(match[0]);
    if (answer !== null) return leavesOpen(window.slice(match.index + match[0].length)) ? null : answer;
    if (!filler.has(match[0])) return null;
  }
  return null;
}

const phrases = ['answer is', 'answer:', 'answer**:', 'assessment:', 'assessment**:', 'answer -', 'answer would be'];

/** The answer a line states, after the last phrase that announces one; null where it states none. */
function statedAnswer(line: string): Answer | null {
  const lower = line.toLowerCase();
  const last = Math.max(
    ...phrases.map((phrase) => lower.lastIndexOf(phrase) + (lower.includes(phrase) ? phrase.length : 0)),
  );
  return last < 0 ? null : answerAfter(line.slice(last));
}

/** A line that is nothing but the answer: `**YES**`, `- no.` */
function bareAnswer(line: string): Answer | null {
  if (line.length > 64) return null;
  const words = line.toLowerCase().match(word) ?? [];
  return words.length === 1 ? asAnswer(words[0]) : null;
}

const finalHeading = /^[\s#*_>\d.]{0,16}final (?:assessment|answer)[\s*_:#]{0,16}$/i;
const strictLine = /^Based on this analysis, the answer is: \*\*(YES|NO)\*\*$/;

function lastOf(lines: readonly string[], read: (line: string) => Answer | null): Answer | null {
  for (let i = lines.length - 1; i >= 0; i--) {
    const answer = read(lines[i] ?? '');
    if (answer !== null) return answer;
  }
  return null;
}

/**
 * Answer of a text that reasons first: the last line that states one under the last `Final Assessment` heading, else
 * the last line of the text that says `the answer is …`, else null. A yes or no within the reasoning never counts.
 * Strict: the last line is `Based on this analysis, the answer is: **YES**` (or NO) word for word.
 */
export function parseReasoningAnswer(text: string): ParsedAnswer {
  const lines = text.split(/\r?\n/);
  const heading = lines.findLastIndex((line) => line.length < 80 && finalHeading.test(line));
  const final = heading < 0 ? [] : lines.slice(heading + 1);
  const answer = lastOf(final, (line) => statedAnswer(line) ?? bareAnswer(line)) ?? lastOf(lines, statedAnswer);
  const lastLine = lines.findLast((line) => line.trim() !== '')?.trim() ?? '';
  return { answer, strict: strictLine.test(lastLine) };
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
