/**
 * Whether a text itself gives the answer that a sentence of it states. `The draft said the answer is no`, `if the answer
 * is no` and `it is not true that the answer is no` state one and give none.
 */

/** A stated answer in its line: `start` of the phrase, `announced` = end of the phrase, `end` of the answer. */
export type Place = { line: string; before: string; start: number; announced: number; end: number };

/** How much of a sentence is looked at on each side, in characters. */
const reach = 200;

const others =
  /(?<![\p{L}])(?:drafts?|students?|pupils?|learners?|classmates?|you|they|he|she|someone|somebody|anyone|everyone|people|many|others|some|users?|questions?|prompts?|templates?|formats?|instructions?|authors?|critics?|original|previous|earlier|initial)(?:['’]s?)?(?![\p{L}])/iu;
const oneself = /(?<![\p{L}])(?:i|we|it can|can be|can safely)(?:['’](?:d|ll|ve|m))?(?![\p{L}])/iu;

const saying =
  'sa(?:y|ys|id|ying)|claim(?:s|ed|ing)?|stat(?:e|es|ed|ing)|wr(?:ite|ites|ote|itten|iting)|argu(?:e|es|ed|ing)|guess(?:es|ed|ing)?|insist(?:s|ed|ing)?|assert(?:s|ed|ing)?|repl(?:y|ies|ied)|reads?|answer(?:s|ed)|report(?:s|ed)?|mention(?:s|ed)?|told|tells?|quot(?:e|es|ed|ing)';
const thinking =
  'think(?:s|ing)?|thought|believ(?:e|es|ed|ing)|assum(?:e|es|ed|ing)|suggest(?:s|ed|ing)?|impl(?:y|ies|ied)|conclud(?:e|es|ed|ing)|maintain(?:s|ed)?|suspect(?:s|ed)?|propos(?:e|es|ed)|suppos(?:e|es|ed)|holds?|held|feels?|felt|decid(?:e|es|ed)|reason(?:s|ed)|seem(?:s|ed)?|appear(?:s|ed)?|expect(?:s|ed)?|indicat(?:e|es|ed)|has|had|gives?|gave';
/** Between a verb and the phrase: `said that the final answer is`, `wrote: "The answer is`. */
const link = `\\s*[:,]?\\s*[("“'‘\`*_>]{0,4}\\s*(?:that\\s+)?(?:(?:the|their|his|her|its|a|an|my|our|your)\\s+)?(?:[\\p{L}]+\\s+)?["“'‘\`*_]{0,4}$`;
const said = new RegExp(`(?<![\\p{L}])(?:${saying})${link}`, 'iu');
const thought = new RegExp(`(?<![\\p{L}])(?:${thinking})${link}`, 'iu');
const may = /(?<![\p{L}])(?:might|may|could|would)(?![\p{L}])/iu;

/** `as the draft says, the answer is`: agreement, or its opposite, with words of the text's own after the comma. */
const aside =
  /^\W{0,4}(?:as|contrary|unlike|despite|although|though|since|because|like|from|what|whatever|given)(?![\p{L}]).*,\s*(?:[\p{L}]+\s+){0,3}$/iu;

/** An answer of another's, or one that is called wrong: `the student's answer is`, `the wrong answer is`. */
const foreign =
  /(?<![\p{L}])(?:drafts?|students?|pupils?|learners?|your|his|her|their|initial|original|previous|earlier|first|wrong|incorrect|opposite|alternative|tempting|na[iï]ve|intuitive|false|popular|common|possible|other)(?:['’]s?)?[\s_*"]+(?:(?:final|draft|own|short|first|initial|original)[\s_*"]+){0,2}$/iu;

/** `if the answer is`, `whether the final answer is`. */
const supposed =
  /(?<![\p{L}])(?:if|whether|suppose|supposing|assuming|unless|until|imagine|either|neither|instead of|rather than|doubts?|deny|denies|denied)\s+(?:that\s+)?(?:(?:the|its|their|an?)\s+)?(?:[\p{L}]+\s+)?$/iu;
/** `it is not true that the answer is`, `we cannot say the answer is`, `it would be wrong to say that the answer is`. */
const denied =
  /(?<![\p{L}])(?:not|cannot|never|wrong|incorrect|false|untrue|mistaken|mistake|error|[\p{L}]+n['’]t)\s+(?:[\p{L}]+\s+){0,3}?(?:that|say|think|believe|mean|conclude|claim|imply|follow|true|case|sure|certain|clear|convinced|if|whether)\s+(?:that\s+)?(?:(?:the|its|an?)\s+)?(?:[\p{L}]+\s+)?$/iu;
/** `at first sight the answer is`: not what the text comes to. */
const tentative =
  /(?<![\p{L}])(?:at first|first (?:sight|glance)|initially|on the surface|on the face of it|superficially|na[iï]vely|intuitively)(?![\p{L}])/iu;
/** `… is wrong`, after the answer. */
const calledWrong =
  /^[\s*_"'”’)\]]{0,6},?\s*(?:(?:which|that|this|and that)\s+)?(?:is|was|would be|are|seems)\s+(?:\p{L}+ly\s+)?(?:wrong|incorrect|false|mistaken|untrue|not\s+(?:correct|right|true|the\s+case))(?![\p{L}])/iu;

/** The part of a sentence that a stated answer belongs to. */
function clauseBefore(text: string): string {
  return (
    text
      .slice(-reach)
      .split(/[.!?;]["”')*_]*\s|[—–]|(?<![\p{L}])(?:but|however|yet|whereas|so|thus|hence|therefore)(?![\p{L}])/iu)
      .at(-1) ?? ''
  );
}

function isSaidByOthers(clause: string): boolean {
  if (aside.test(clause)) return false;
  const foreigner = others.test(clause);
  if (said.test(clause)) return foreigner || !oneself.test(clause);
  if (!thought.test(clause)) return false;
  return foreigner || (may.test(clause) && !/conclude/iu.test(clause));
}

/** Whether the phrase stands within quotation marks that close behind the answer; a line quoted whole is the text's own. */
function isQuoted({ line, start, announced }: Place): boolean {
  const before = line.slice(Math.max(0, start - reach), start);
  if (/["“”]/.test(line.slice(start, announced))) return false;
  const straight = before.split('"').length % 2 === 0;
  const curly = before.lastIndexOf('“') > before.lastIndexOf('”');
  if (!straight && !curly) return false;
  const mark = before.lastIndexOf(straight ? '"' : '“');
  return /[\p{L}\p{N}]/u.test(before.slice(0, mark)) || start > reach;
}

/** A question: `the answer is yes, right?` */
const isAsked = (rest: string): boolean =>
  (rest.split(/[.!;:(\n]|[*_]{2}["”)\]]?\s+(?=\p{Lu})/u, 1)[0] ?? '').includes('?');

/**
 * @param place the stated answer; `before` is the end of the line above where that one leads over to this (`…said:`),
 *   else empty
 * @param isWholeForm the answer ends the whole sentence that was asked for, which no question mark behind it takes back
 */
export function isOwn(place: Place, isWholeForm = false): boolean {
  const { line, before, start, end } = place;
  const rest = line.slice(end, end + reach);
  if ((!isWholeForm && isAsked(rest)) || calledWrong.test(rest) || isQuoted(place)) return false;
  const lead = `${before} ${line.slice(Math.max(0, start - reach), start)}`;
  const clause = clauseBefore(lead);
  if (foreign.test(clause) || supposed.test(clause) || denied.test(clause) || tentative.test(clause)) return false;
  return !isSaidByOthers(clause);
}
