/**
 * Splitting a model's reasoning off what it says. Servers leave it in the text where no reasoning parser is set up; each model
 * has its own marks. One pass over the text, so that megabytes cost megabytes of time and no more.
 */

/** `open` = the reasoning does not end: what follows it never came. */
export type SplitText = { text: string; reasoning: string | null; open: boolean };

/** Qwen, DeepSeek, Gemini and others; Seed-OSS; one that a proxy has escaped. */
const named = String.raw`(?:seed:)?(?:think(?:ing)?|thoughts?|reasoning)`;
/** Magistral, Kimi, OpenThinker, Command A, each as `[opening, closing]`. */
const marks = [
  [String.raw`<${named}(?:\s[^<>]{0,64})?>`, String.raw`</\s?${named}\s?>`],
  [String.raw`&lt;${named}&gt;`, String.raw`&lt;/${named}&gt;`],
  [String.raw`\[(?:think(?:ing)?|reasoning)\]`, String.raw`\[/(?:think(?:ing)?|reasoning)\]`],
  ['◁think▷', '◁/think▷'],
  [String.raw`<\|begin_of_thought\|>`, String.raw`<\|end_of_thought\|>`],
  [String.raw`<\|START_THINKING\|>`, String.raw`<\|END_THINKING\|>`],
] as const;
const eitherOf = (side: 0 | 1): string => marks.map((pair) => pair[side]).join('|');
/** A mark in quotes is spoken of, not used. */
const mark = new RegExp(`(?<!["'\`“‘])(?:(?<opens>${eitherOf(0)})|(?<closes>${eitherOf(1)}))`, 'gi');

/** Channels of gpt-oss: `<|channel|>analysis<|message|>…<|end|><|start|>assistant<|channel|>final<|message|>…`. */
const channel =
  /(?:<\|start\|>\s{0,4}assistant\s{0,4})?<\|channel\|>\s{0,4}(\w{1,32})[^<]{0,64}(?:<\|constrain\|>[^<]{0,64})?<\|message\|>/g;
const channelEnd = /<\|(?:end|return|call)\|>/g;

/** Collects the parts of a text. */
function collect() {
  const thoughts: string[] = [];
  let said = '';
  return {
    say: (text: string): void => {
      said += text;
    },
    think: (text: string): void => {
      thoughts.push(text);
    },
    /** What was said so far was thought: a template had written the opening mark into the prompt. */
    takeBack: (): void => {
      thoughts.push(said);
      said = '';
    },
    split: (open: boolean): SplitText => {
      const reasoning = joinReasoning(thoughts);
      return { text: said.trim(), reasoning, open };
    },
  };
}

/** Parts of a reasoning as one; null = there is none. */
export function joinReasoning(parts: readonly (string | null)[]): string | null {
  const filled = parts.flatMap((part) => (part === null || part.trim() === '' ? [] : [part.trim()]));
  return filled.length === 0 ? null : filled.join('\n\n');
}

function splitChannels(text: string): SplitText {
  const parts = collect();
  const add = (name: string, content: string): void => {
    (name === 'final' ? parts.say : parts.think)(content.replace(channelEnd, ''));
  };
  let [last, name] = [0, 'final'];
  for (const match of text.matchAll(channel)) {
    add(name, text.slice(last, match.index));
    last = match.index + match[0].length;
    name = match[1] ?? '';
  }
  add(name, text.slice(last));
  return parts.split(name !== 'final');
}

/**
 * A text without its reasoning: blocks in marks, wherever they stand; what stands before a closing mark that nothing opened;
 * and all that follows an opening mark that nothing closes. A text without marks comes back as it is.
 */
export function splitReasoning(text: string): SplitText {
  if (text.includes('<|channel|>')) return splitChannels(text);
  const parts = collect();
  let last = 0;
  let [inside, found] = [false, false];
  for (const match of text.matchAll(mark)) {
    const closes = match.groups?.['closes'] !== undefined;
    // Within a block an opening mark is only a word of it.
    if (inside && !closes) continue;
    const part = text.slice(last, match.index);
    if (inside) parts.think(part);
    else parts.say(part);
    if (!inside && closes) parts.takeBack();
    inside = !closes;
    found = true;
    last = match.index + match[0].length;
  }
  if (!found) return { text, reasoning: null, open: false };
  if (inside) parts.think(text.slice(last));
  else parts.say(text.slice(last));
  return parts.split(inside);
}

/** An answer with the reasoning before it, as models that reason are trained to write it. */
export const withReasoning = (text: string, reasoning: string | null | undefined): string =>
  reasoning === null || reasoning === undefined ? text : `<think>\n${reasoning}\n</think>\n\n${text.trim()}`;
