import { createHash } from 'node:crypto';
import type { Answer, Question } from '../../domain/records.ts';

/** How it errs: the n-th attempt at a question errs by a hash, so runs repeat, and attempts differ. */
export type Errors = { seed: string; attempt: string; rates: Record<Answer, number> };

const other: Record<Answer, Answer> = { yes: 'no', no: 'yes' };

/** Uniform in [0, 1), from a hash of the text. */
export const uniform = (text: string): number =>
  Number.parseInt(createHash('sha256').update(text).digest('hex').slice(0, 8), 16) / 2 ** 32;

/** The answer it gives: the truth, or at the class's rate its opposite. */
export function givenAnswer({ question, answer }: Question, { seed, attempt, rates }: Errors): Answer {
  return uniform(`${seed}:${question}:${attempt}`) < rates[answer] ? other[answer] : answer;
}

/** The known question that a message asks: by its `Question:` line, else the longest one that occurs in it. */
export function questionOf(message: string, known: ReadonlyMap<string, Question>): Question | null {
  const line = /^Question:[ \t]*(.*\S)[ \t]*$/m.exec(message)?.[1];
  const exact = line === undefined ? undefined : known.get(line);
  if (exact) return exact;
  let longest: Question | null = null;
  for (const [text, question] of known) {
    if (text.length > (longest?.question.length ?? 0) && message.includes(text)) longest = question;
  }
  return longest;
}

const oneLine = (text: string): string => text.trim().replaceAll(/\s*\n\s*/g, ' ');

/**
 * The answer in the specification's format: a word on the draft, the facts as numbered steps, and a last step that
 * draws the given answer. An erring teacher has the same facts and draws the wrong conclusion.
 */
export function teach(question: Question, given: Answer, message: string): string {
  const draft = /Answer:\s*(Yes|No)/.exec(message)?.[1];
  const analysis = draft === undefined ? 'The student gives no clear answer.' : `The student answers ${draft}.`;
  const asked = question.decomposition.at(-1) ?? question.question;
  const steps = [...question.facts.map(oneLine), `${oneLine(asked)} ${given === 'yes' ? 'Yes' : 'No'}.`];
  return [
    '## Teaching Analysis',
    `${analysis} The facts decide.`,
    '',
    '## Step-by-Step Reasoning',
    ...steps.map((step, index) => `${index + 1}. ${step}`),
    '',
    '## Final Assessment',
    `Based on this analysis, the answer is: **${given.toUpperCase()}**`,
  ].join('\n');
}
