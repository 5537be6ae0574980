import type { Said } from './judging.ts';
import { fillTemplate, placeholderProblems } from './templates.ts';

/** What a judge is asked. `{question}`, `{first}` and `{second}` are replaced. */
export type JudgeTemplates = { system: string; user: string };

/** `reason` before the verdict, so that the verdict follows from it. */
export const defaultJudgeTemplates: JudgeTemplates = {
  system: [
    'You compare two sets of clarifying questions that students ask before they answer a yes/no question. The better set asks for what decides the answer: its answers, taken together, would settle the question. Asking for what is irrelevant, or for what the question says already, makes a set worse.',
    'Judge by content alone: neither the order in which the sets are shown nor their length or wording counts. Say tie when neither is better.',
    'Reply with a JSON object and nothing else: {"reason": "<one or two sentences>", "better": "first" | "second" | "tie"}',
  ].join('\n'),
  user: 'Question: {question}\n\n<first>\n{first}\n</first>\n\n<second>\n{second}\n</second>\n\nWhich set of clarifying questions is better?',
};

const needs: Record<keyof JudgeTemplates, readonly string[]> = { system: [], user: ['question', 'first', 'second'] };

/** What is wrong with a judge's template, as sentences that name the fix; empty = nothing. */
export const judgeTemplateProblems = (name: keyof JudgeTemplates, template: string): string[] =>
  placeholderProblems(template, needs[name]);

export const resolveJudgeTemplates = (own: {
  [Name in keyof JudgeTemplates]?: string | undefined;
}): JudgeTemplates => ({
  system: own.system ?? defaultJudgeTemplates.system,
  user: own.user ?? defaultJudgeTemplates.user,
});

/** The two messages for a pair in one order. */
export const judgeMessages = (
  templates: JudgeTemplates,
  shown: { question: string; first: string; second: string },
): { system: string; user: string } => ({ system: templates.system, user: fillTemplate(templates.user, shown) });

/** Name and JSON Schema of a verdict, for servers that hold a model to one. */
export const verdictSchema = {
  name: 'verdict',
  strict: true,
  schema: {
    type: 'object',
    properties: {
      reason: { type: 'string' },
      better: { type: 'string', enum: ['first', 'second', 'tie'] },
    },
    required: ['reason', 'better'],
    additionalProperties: false,
  },
} as const;

const words: Readonly<Record<string, Said>> = {
  first: 'first',
  a: 'first',
  '1': 'first',
  second: 'second',
  b: 'second',
  '2': 'second',
  tie: 'tie',
  neither: 'tie',
  equal: 'tie',
};
const saidIn = (value: unknown): Said | null =>
  typeof value === 'string' || typeof value === 'number' ? (words[String(value).trim().toLowerCase()] ?? null) : null;

/** `better`, `verdict` or `winner`, then the word, at the start of a line. Bounded, so that no text makes it slow. */
const stated =
  /^[\s*_#>-]{0,8}(?:better|verdict|winner)[*_]{0,3}\s{0,4}[:=-][*_\s]{0,8}["“]?(first|second|tie|neither|equal|[ab12])\b/gim;

/** So many braces are tried as the beginning of an object, from the last on. */
const triedBraces = 64;

/**
 * Reads a judge's answer, its reasoning split off before: the JSON object that was asked for, with text, braces or a code
 * fence around it; of several with a verdict the last. Else the last line that says `Better: first`. Null = it names no
 * verdict.
 */
export function parseVerdict(text: string): { said: Said; reason: string } | null {
  for (const object of objectsIn(text)) {
    const said = saidIn(object['better'] ?? object['verdict'] ?? object['winner']);
    if (said !== null) return { said, reason: typeof object['reason'] === 'string' ? object['reason'].trim() : '' };
  }
  const line = [...text.slice(-4000).matchAll(stated)].at(-1);
  const named = saidIn(line?.[1]);
  return named === null ? null : { said: named, reason: text.replace(line?.[0] ?? '', '').trim() };
}

/** Objects in a text: the widest first, then, from the last brace on, what each begins. */
function* objectsIn(text: string): Generator<Record<string, unknown>> {
  const [first, last] = [text.indexOf('{'), text.lastIndexOf('}')];
  const widest = first < 0 ? null : objectOf(text.slice(first, last + 1));
  if (widest !== null) yield widest;
  let start = text.lastIndexOf('{');
  for (let tried = 0; start >= 0 && tried < triedBraces; tried += 1) {
    const object = objectOf(text.slice(start, endOf(text, start)));
    if (object !== null) yield object;
    start = start === 0 ? -1 : text.lastIndexOf('{', start - 1);
  }
}

/** Behind the brace that closes the one at `start`; braces in quotes close nothing. */
function endOf(text: string, start: number): number {
  let [depth, quoted] = [0, false];
  const end = Math.min(text.length, start + 20_000);
  for (let place = start; place < end; place += 1) {
    const character = text[place];
    if (quoted && character === '\\') place += 1;
    else if (character === '"') quoted = !quoted;
    else if (!quoted && character === '{') depth += 1;
    else if (!quoted && character === '}' && (depth -= 1) === 0) return place + 1;
  }
  return start;
}

function objectOf(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}
