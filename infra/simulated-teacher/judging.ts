import type { Question } from '../../domain/records.ts';
import { uniform } from './teaching.ts';

/** How the simulated judge errs, as the `metadata` of its request says; shares from 0 to 1. */
export type JudgeErrors = { seed: string; positionBias: number; lengthBias: number; errorRate: number };

type Said = 'first' | 'second' | 'tie';

const said = ['first', 'second', 'tie'] as const;

/** The two sets, as the default prompt shows them; null where it is another prompt. */
function setsIn(message: string): { first: string; second: string } | null {
  const first = /<first>\n([\s\S]*?)\n<\/first>/.exec(message)?.[1];
  const second = /<second>\n([\s\S]*?)\n<\/second>/.exec(message)?.[1];
  return first === undefined || second === undefined ? null : { first, second };
}

/** How many of the steps into which the question's author broke it down a text asks for: the judge's hidden quality. */
const stepsAsked = ({ decomposition }: Question, text: string): number =>
  decomposition.filter((step) => text.toLowerCase().includes(step.toLowerCase())).length;

/**
 * A judge of clarifying questions: the better set asks for more of the steps of the known question, equally many tie. A
 * share of the pairs, by a hash that does not know the order, goes to the first instead (position bias), of the rest a
 * share to the longer (length bias); a share of the single verdicts is replaced by another one (errors).
 *
 * @param structured as the JSON that was asked for; else in words
 * @returns null when the message shows no two sets
 */
export function judgeSets(
  question: Question,
  message: string,
  errors: JudgeErrors,
  structured: boolean,
): string | null {
  const sets = setsIn(message);
  if (sets === null) return null;
  const { better, reason } = verdictOn(question, sets, errors);
  return structured ? JSON.stringify({ reason, better }) : `${reason}\n\nBetter: ${better}`;
}

function verdictOn(
  question: Question,
  { first, second }: { first: string; second: string },
  { seed, positionBias, lengthBias, errorRate }: JudgeErrors,
): { better: Said; reason: string } {
  const pair = `${seed}:${question.question}:${[first, second].sort().join('\n')}`;
  const error = uniform(`error:${pair}:${first}`);
  const usual = biased(question, { first, second }, { pair, positionBias, lengthBias });
  if (error >= errorRate) return usual;
  const others = said.filter((each) => each !== usual.better);
  return { better: others[error < errorRate / 2 ? 0 : 1] ?? 'tie', reason: 'It was told to err here.' };
}

function biased(
  question: Question,
  { first, second }: { first: string; second: string },
  { pair, positionBias, lengthBias }: { pair: string; positionBias: number; lengthBias: number },
): { better: Said; reason: string } {
  if (uniform(`position:${pair}`) < positionBias) return { better: 'first', reason: 'It comes first.' };
  if (uniform(`length:${pair}`) < lengthBias && first.length !== second.length) {
    return { better: first.length > second.length ? 'first' : 'second', reason: 'It is longer.' };
  }
  const [one, other] = [stepsAsked(question, first), stepsAsked(question, second)];
  const reason = `The first asks for ${one} of the ${question.decomposition.length} steps, the second for ${other}.`;
  return { better: one === other ? 'tie' : one > other ? 'first' : 'second', reason };
}
