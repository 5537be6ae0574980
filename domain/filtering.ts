import { countAgreement, countTemplates, isReadable } from './agreement.ts';
import type { ResponseReport } from './agreement.ts';
import { invalid } from './invalid.ts';
import type { Answer, ClassCounts, DataStep, Filtering, Question, TeacherResponse } from './records.ts';
import { countByAnswer } from './sampling.ts';
import { sortedById } from './shuffle.ts';

/** A question with the response it is trained on; `answer` is what that response teaches. */
export type KeptResponse = { question: Question; response: TeacherResponse; answer: Answer };

type Choice = { kept: TeacherResponse } | { removed: string };

/** What the first attempt came to, as a reason. */
const reasonOf = (response: TeacherResponse | undefined): string =>
  response?.problem === 'copied' ? 'copy of another answer' : (response?.class ?? 'no response');

function dropDisagreements(attempts: TeacherResponse[]): Choice {
  const first = attempts[0];
  return first?.class === 'valid' && isReadable(first) ? { kept: first } : { removed: reasonOf(first) };
}

function keepAll(attempts: TeacherResponse[]): Choice {
  const first = attempts.find(isReadable);
  return first === undefined ? { removed: reasonOf(attempts[0]) } : { kept: first };
}

function consensus(attempts: TeacherResponse[], truth: Answer): Choice {
  const votes = attempts.filter(isReadable);
  if (votes.length === 0) return { removed: reasonOf(attempts[0]) };
  const agreeing = votes.filter(({ answer }) => answer === truth);
  const against = votes.length - agreeing.length;
  if (agreeing.length === against) return { removed: 'tied' };
  const [kept] = agreeing;
  return agreeing.length > against && kept !== undefined ? { kept } : { removed: 'majority disagreed' };
}

function attemptsById(responses: readonly TeacherResponse[], most: number): Map<string, TeacherResponse[]> {
  const byId = new Map<string, TeacherResponse[]>();
  for (const response of responses) {
    if (response.attempt >= most) continue;
    const attempts = byId.get(response.id) ?? [];
    attempts.push(response);
    byId.set(response.id, attempts);
  }
  for (const attempts of byId.values()) attempts.sort((a, b) => a.attempt - b.attempt);
  return byId;
}

const byReason = (removed: { question: Question; reason: string }[]): { reason: string; counts: ClassCounts }[] =>
  [...new Set(removed.map(({ reason }) => reason))].sort().map((reason) => ({
    reason,
    counts: countByAnswer(removed.filter((row) => row.reason === reason).map((row) => row.question)),
  }));

/**
 * Chooses the response that each question is trained on.
 * - `drop-disagreements`: the first attempt, when its answer is the truth.
 * - `keep-all`: the first readable attempt, right or wrong.
 * - `consensus`: of `consensusAttempts` attempts, those readable vote; more must agree with the truth than disagree
 *   (a tie does not), and the first that agrees is taken.
 *
 * @returns kept in order of question id; counts of the steps are by truth, those of `answers as trained` by response
 * @throws InvalidData when consensus was asked and a question has fewer attempts than that
 */
export function filterResponses(
  questions: readonly Question[],
  responses: readonly TeacherResponse[],
  filtering: Filtering,
  consensusAttempts: number,
): { kept: KeptResponse[]; steps: DataStep[] } {
  const byId = attemptsById(responses, filtering === 'consensus' ? consensusAttempts : Infinity);
  const kept: KeptResponse[] = [];
  const removed: { question: Question; reason: string }[] = [];
  for (const question of sortedById(questions)) {
    const attempts = byId.get(question.id) ?? [];
    if (filtering === 'consensus' && attempts.length < consensusAttempts) {
      throw invalid(
        'InvalidData',
        `question ${question.id} has ${attempts.length} of ${consensusAttempts} teacher attempts`,
      );
    }
    const choice =
      filtering === 'drop-disagreements'
        ? dropDisagreements(attempts)
        : filtering === 'keep-all'
          ? keepAll(attempts)
          : consensus(attempts, question.answer);
    if ('removed' in choice) removed.push({ question, reason: choice.removed });
    else kept.push({ question, response: choice.kept, answer: choice.kept.answer ?? question.answer });
  }
  const after = countByAnswer(kept.map(({ question }) => question));
  const steps: DataStep[] = [{ name: filtering, before: countByAnswer(questions), after, removed: byReason(removed) }];
  if (filtering === 'keep-all')
    steps.push({ name: 'answers as trained', before: after, after: countByAnswer(kept), removed: [] });
  return { kept, steps };
}

/**
 * Counts responses, one at a time: by class, problem and wording, how far attempts agree, and how many were readable without
 * having the asked form.
 */
export function countResponses() {
  const byClass = { valid: 0, disagreed: 0, unparsable: 0, truncated: 0, refused: 0, failed: 0 };
  const problems: NonNullable<ResponseReport['problems']> = {};
  const agreed = countAgreement();
  const worded = countTemplates();
  let [n, lenient, repaired] = [0, 0, 0];
  return {
    add(row: TeacherResponse): void {
      const { class: name, problem, answer, strict } = row;
      n += 1;
      byClass[name] += 1;
      if (problem !== undefined) problems[problem] = (problems[problem] ?? 0) + 1;
      if (answer !== null && !strict) lenient += 1;
      if (row.repaired) repaired += 1;
      agreed.add(row);
      worded.add(row);
    },
    report: (): ResponseReport => {
      const agreement = agreed.report();
      const templates = worded.report();
      return {
        ...{ n, byClass, lenient },
        ...(repaired > 0 && { repaired }),
        ...(Object.keys(problems).length > 0 && { problems }),
        ...(agreement && { agreement }),
        ...(templates.length > 0 && { templates }),
      };
    },
  };
}

export function responseReport(responses: readonly TeacherResponse[]): ResponseReport {
  const counted = countResponses();
  for (const response of responses) counted.add(response);
  return counted.report();
}
