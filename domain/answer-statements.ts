import { isOwn } from './answer-ownership.ts';
import { bareAnswer, leadingAnswer } from './answer-words.ts';
import type { Answer } from './records.ts';

/**
 * An answer that a text gives as its own. `form` = in the words that the teacher's prompt asks for; `revises` = words such
 * as `actually` lead over to it from the statement before; `concludes` = those, or words such as `therefore`.
 */
export type Statement = { answer: Answer; form: boolean; revises: boolean; concludes: boolean };

/** A line of a text, and the nearest one above it that is not blank. */
type Line = { text: string; above: string };

/** Phrases that announce an answer: `the answer is`, `**Answer:**`, `Final Assessment:`, `"answer":`, `\boxed{`, `Actually,`. */
const phrase =
  /(?<![\p{L}\p{N}])(?:answer|assessment)["'”’*_)\]]{0,4}(?: to (?:the|this|that|your) (?:[a-z']{1,20} )?question)?\s{0,4}(?:is(?!\p{L})|would be(?!\p{L})|should be(?!\p{L})|must be(?!\p{L})|remains(?!\p{L})|[:：=>–—-])|\\boxed\s{0,4}(?=\{)|(?<![\p{L}\p{N}])(?:actually|correction|wait|sorry|oops|scratch that|on second thoughts?|on reflection)(?=[\s,:.…–—-])/giu;

const lead = /based on this analysis,?\s{1,4}the $/i;
/** The label in bold behind `answer is:`, in brackets or quotes if need be. */
const boldForm = /^answer is:\s{0,8}(?:\*\*|__)\W{0,3}(?:yes|no)(?![\p{L}\p{N}])/iu;
const leadForm = /^answer is:?\W{0,12}(?:yes|no)(?![\p{L}\p{N}])/iu;

const revision =
  /(?<![\p{L}])(?:actually|corrections?|corrected|wait|sorry|oops|on (?:second thoughts?|reflection|(?:a )?closer (?:look|inspection)|review|reconsideration)|i (?:was|am) (?:wrong|mistaken)|i made an? (?:mistake|error)|revis(?:ed|ing)|instead|reconsider(?:ed|ing)?|(?:scratch|strike) that|in fact|after all|let me correct|my mistake|apolog(?:y|ies|i[sz]e)|hold on)(?![\p{L}])/iu;
const conclusion =
  /(?<![\p{L}])(?:so|therefore|thus|hence|in (?:conclusion|summary|the end|total)|overall|final(?:ly)?|conclu(?:de|ding|sion)|to sum up|ultimately|however|but|yet|consequently|accordingly|altogether|all in all|nevertheless|taken together)(?![\p{L}])/iu;

/** More statements than these are not looked at: the last ones decide. */
const mostStatements = 64;
/** How much of the text between two statements is searched for words that lead over. */
const leadReach = 300;

const isPrompting = (above: string): boolean => /:[\s*_"“]{0,4}$/.test(above);

/** Whether a whole line says nothing but that what follows is of somebody else: `The student wrote:`. */
const linkFrom = (above: string): string => (isPrompting(above) ? above.slice(-leadReach) : '');

type Found = { start: number; end: number; answer: Answer; form: boolean };

/** What a phrase at a place announces; null where it is no answer, or not the text's own. */
function readPhrase({ text, above }: Line, match: RegExpExecArray): Found | null {
  const start = match.index;
  const announced = start + match[0].length;
  const label = leadingAnswer(text.slice(announced, announced + 400));
  if (label === null) return null;
  // `Actually, no` says one; in `Actually, the answer is no` the later phrase does.
  if (!/answer|assessment|boxed/i.test(match[0]) && /\p{L}/u.test(text.slice(announced, announced + label.start)))
    return null;
  const end = announced + label.end;
  const here = text.slice(start, start + 60);
  const isLed = lead.test(text.slice(Math.max(0, start - 60), start));
  const isWholeForm = isLed && boldForm.test(here);
  if (!isOwn({ line: text, before: linkFrom(above), start, announced, end }, isWholeForm)) return null;
  const form = boldForm.test(here) || (isLed && leadForm.test(here));
  return { start, end, answer: label.answer, form };
}

/** A line that is nothing but an answer, where one may stand alone: under a heading, or after `the answer is:`. */
function readBare({ text, above }: Line, alone: boolean): Found | null {
  const announced = /(?:answer|assessment)["'”’*_)]{0,4}\s{0,4}(?:is)?\s{0,4}[:：]?[\s*_]{0,6}$/iu.test(
    above.slice(-60),
  );
  if (!alone && !announced) return null;
  const answer = bareAnswer(text);
  if (answer === null || !isOwn({ line: text, before: linkFrom(above), start: 0, announced: 0, end: text.length }))
    return null;
  const form = announced && /[*_]{2}/.test(text) && /answer is:/i.test(above.slice(-60));
  return { start: 0, end: text.length, answer, form };
}

/** `Yes, because …` as the first words under a heading. */
function readLeading({ text }: Line): Found | null {
  const label = leadingAnswer(text);
  if (label === null || /[\p{L}\p{N}]/u.test(text.slice(0, label.start))) return null;
  if (!/^[\s*_"'”’)\]]{0,6}(?:[.,;:!–—-]|$)/.test(text.slice(label.end))) return null;
  const place = { line: text, before: '', start: 0, announced: 0, end: label.end };
  return isOwn(place) ? { start: 0, end: label.end, answer: label.answer, form: false } : null;
}

function lineFinds(line: Line, section: { first: boolean } | null): Found[] {
  const matches = [...line.text.matchAll(phrase)].slice(-mostStatements);
  const found = matches.flatMap((match) => readPhrase(line, match) ?? []);
  if (found.length > 0) return found;
  const alone = readBare(line, section !== null) ?? (section?.first ? readLeading(line) : null);
  return alone === null ? [] : [alone];
}

/**
 * The answers that lines give as the text's own, in order, the last ones where there are very many.
 *
 * @param underHeading whether the lines stand under `Final Assessment`, where a line may be nothing but the answer
 */
export function statementsOf(lines: readonly string[], underHeading: boolean): Statement[] {
  const filled = lines.filter((line) => line.trim() !== '');
  const found: (Found & { line: number })[] = [];
  for (let i = filled.length - 1; i >= 0 && found.length < mostStatements; i--) {
    const line = { text: filled[i] ?? '', above: filled[i - 1] ?? '' };
    const here = lineFinds(line, underHeading ? { first: i === 0 } : null);
    found.unshift(...here.map((find) => ({ ...find, line: i })));
  }
  return found.map(({ answer, form, line, start }, index) => {
    const old = found[index - 1];
    const text = filled[line] ?? '';
    const sameLine = old?.line === line;
    const between = sameLine
      ? text.slice(Math.max(old.end, start - leadReach), start)
      : `${filled[line - 1]?.slice(old?.line === line - 1 ? old.end : 0).slice(-leadReach) ?? ''} ${text.slice(Math.max(0, start - leadReach), start)}`;
    const words = `${between} ${text.slice(start, start + 20)}`;
    const revises = revision.test(words);
    return { answer, form, revises, concludes: revises || conclusion.test(words) };
  });
}

/**
 * What statements come to. The asked form wins over what else is said; a later answer wins over an earlier one only where
 * words lead over to it.
 *
 * @returns undefined where nothing is stated, null where it cannot be told
 */
export function settle(statements: readonly Statement[]): Answer | null | undefined {
  const lastForm = statements.findLastIndex(({ form }) => form);
  if (lastForm < 0) return settled(statements, ({ concludes }) => concludes);
  const forms = statements.filter(({ form }) => form);
  const answer = settled(forms, ({ revises }) => revises);
  // The text itself takes back what it has said in the asked form.
  const retracted = statements.slice(lastForm + 1).some((later) => later.revises && later.answer !== answer);
  return retracted ? null : answer;
}

/** The last answer; null where the last change of mind is not said to be one. */
function settled(
  statements: readonly Statement[],
  leadsOver: (later: Statement) => boolean,
): Answer | null | undefined {
  const last = statements.at(-1)?.answer;
  const turn = statements.findLastIndex(({ answer }, index) => index > 0 && answer !== statements[index - 1]?.answer);
  const turned = statements[turn];
  return turned !== undefined && !leadsOver(turned) ? null : last;
}
