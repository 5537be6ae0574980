import type { Answer } from './records.ts';

/** The word yes or no where an answer is expected: what may stand before it, and what after it takes it back. */

/** A word of any script; `no-one` and `isn't` are one word each. */
const word = /[\p{L}\p{N}]+(?:['’-][\p{L}\p{N}]+)*/gu;

/** What may stand between `the answer is` and the answer itself. */
const filler = new Set(
  (
    'a an the is clearly definitely most likely probably therefore thus simply still indeed final answer strong resounding ' +
    'certainly absolutely obviously surely actually definite definitive clear firm emphatic hence so'
  ).split(' '),
);

/** LaTeX and HTML that only dress a word: `\boxed{\text{yes}}`, `<b>No</b>`. */
const dress =
  /\\(?:boxed|text(?:bf|it|rm|sf)?|math(?:bf|rm|it|sf)|bf|rm)(?![a-z])|<\/?(?:b|strong|em|i|u|code|span|mark|p)>/gi;

/** A label with its place, `end` behind it. */
export type LabelWord = { answer: Answer; start: number; end: number };

/** How far an answer may stand behind the phrase that announces it, in characters. */
const reach = 160;

/** Whether a text is the word yes or no, in any case. */
export function asAnswer(text: string | undefined): Answer | null {
  const lower = text?.toLowerCase();
  return lower === 'yes' || lower === 'no' ? lower : null;
}

/** `yes/no`, `yes or no` and `yes and no` leave the choice open: an echoed template is not an answer. */
const open =
  /^[\s*_"'”’)\]}>]{0,8}(?:[/|\\]|,?[\s*_"'(]{0,4}(?:or|and|nor|vs\.?|versus)(?![\p{L}]))[\s*_"'“‘([{<]{0,8}(?:or\s)?(?:yes|no|maybe|not|unknown|unclear|uncertain)(?![\p{L}])/iu;

/** What makes the answer hang on something: `yes, if …`. */
const condition = /^[\s*_"'”’)\],]{0,6}(?:but )?(?:only )?(?:if|unless|provided|depending|assuming)(?![\p{L}])/u;

/** What may follow a plain `no` that is an answer: any other word makes it `no doubt`, `no longer`, `no evidence`. */
const afterNo = new Set(
  (
    'because since as for and but so given due based according by in with on at when while it he she they the there this that ' +
    'these those i we you from under though although however therefore thus here not is are was were its his her their our my ' +
    'if unless or reasoning'
  ).split(' '),
);

/** `no longer`, `No one`, `No. 5`: a no that is not an answer. An upper-case `NO` is always the label. */
function isDeterminer(found: string, rest: string): boolean {
  if (found === 'NO') return /^\.\s?\d/.test(rest);
  if (found === 'No' && /^\.\s?\d/.test(rest)) return true;
  const next = /^[ \t]+([\p{L}\p{N}]+)/u.exec(rest)?.[1];
  return next !== undefined && !afterNo.has(next.toLowerCase());
}

/** Whether what follows a label leaves it open, or makes it hang on something. */
const leavesOpen = (found: string, rest: string): boolean =>
  open.test(rest) ||
  condition.test(rest) ||
  (asAnswer(/^\s{1,4}(yes|no)(?!\p{L})/iu.exec(rest)?.[1]) ?? asAnswer(found)) !== asAnswer(found);

/** Whether the label found stands for an answer, seen from what follows it. */
function stands(found: string, rest: string): boolean {
  if (leavesOpen(found, rest)) return false;
  return found.toLowerCase() === 'yes' || !isDeterminer(found, rest);
}

const undressed = (text: string): string => text.replace(dress, (tag) => ' '.repeat(tag.length));

/** The answer that a text begins with: only markup and a few filler words may stand before it. */
export function leadingAnswer(text: string): LabelWord | null {
  const window = undressed(text.slice(0, reach));
  for (const match of window.matchAll(word)) {
    const answer = asAnswer(match[0]);
    const end = match.index + match[0].length;
    if (answer !== null) return stands(match[0], window.slice(end)) ? { answer, start: match.index, end } : null;
    if (!filler.has(match[0].toLowerCase())) return null;
  }
  return null;
}

/** A line that is nothing but the answer: `**YES**`, `- no.` */
export function bareAnswer(line: string): Answer | null {
  if (line.length > 64 || line.includes('?')) return null;
  const words = undressed(line).match(word) ?? [];
  return words.length === 1 ? asAnswer(words[0]) : null;
}

/** Labels of a short text that stand as words of their own, in order; those of an open choice are no answers. */
export function standingAnswers(text: string): { labels: LabelWord[]; unclear: boolean } {
  const plain = undressed(text);
  const labels: LabelWord[] = [];
  let unclear = false;
  for (const match of plain.matchAll(word)) {
    const answer = asAnswer(match[0]);
    if (answer === null) continue;
    const end = match.index + match[0].length;
    const rest = plain.slice(end, end + reach);
    if (leavesOpen(match[0], rest)) unclear = true;
    else if (stands(match[0], rest)) labels.push({ answer, start: match.index, end });
  }
  return { labels, unclear };
}
