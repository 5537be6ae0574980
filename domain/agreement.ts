import type { Answer, DataReport, TeacherResponse } from './records.ts';
import { countByAnswer } from './sampling.ts';

export type ResponseReport = NonNullable<DataReport['responses']>;
export type Agreement = NonNullable<ResponseReport['agreement']>;
export type TemplateCounts = NonNullable<ResponseReport['templates']>[number];

function groupBy(
  responses: readonly TeacherResponse[],
  keyOf: (row: TeacherResponse) => string,
): Map<string, TeacherResponse[]> {
  const groups = new Map<string, TeacherResponse[]>();
  for (const row of responses) {
    const key = keyOf(row);
    const group = groups.get(key);
    if (group) group.push(row);
    else groups.set(key, [row]);
  }
  return groups;
}

/** Whether a response has an answer that can be used; one that was cut off before it was given has none. */
export const isReadable = (response: TeacherResponse): response is TeacherResponse & { answer: Answer } =>
  response.answer !== null && (response.class === 'valid' || response.class === 'disagreed');

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

/**
 * How far attempts at the same question agree, right or wrong. Questions with fewer than two readable answers say
 * nothing of it. Null when no question was asked twice.
 */
export function agreementOf(responses: readonly TeacherResponse[]): Agreement | null {
  const questions = [...groupBy(responses, ({ id }) => id).values()].filter((attempts) => attempts.length > 1);
  if (questions.length === 0) return null;
  const votes = questions.map((attempts) => countByAnswer(attempts.filter(isReadable)));
  const compared = votes.filter(({ yes, no }) => yes + no > 1);
  return {
    questions: questions.length,
    compared: compared.length,
    unanimous: compared.filter(({ yes, no }) => yes === 0 || no === 0).length,
    majorityShare: compared.length === 0 ? null : mean(compared.map(({ yes, no }) => Math.max(yes, no) / (yes + no))),
    kappa: fleissKappa(compared),
  };
}

/**
 * Agreement beyond what the shares of yes and no give by chance (Fleiss 1971, doi:10.1037/h0031619), each question with
 * its own number of answers. Null without questions, and where all answers are the same: chance explains all of it.
 */
function fleissKappa(compared: readonly { yes: number; no: number }[]): number | null {
  const yes = compared.reduce((sum, votes) => sum + votes.yes, 0);
  const answers = compared.reduce((sum, votes) => sum + votes.yes + votes.no, 0);
  if (yes === 0 || yes === answers) return null;
  const observed = mean(
    compared.map((votes) => {
      const n = votes.yes + votes.no;
      return (votes.yes * (votes.yes - 1) + votes.no * (votes.no - 1)) / (n * (n - 1));
    }),
  );
  const byChance = (yes / answers) ** 2 + (1 - yes / answers) ** 2;
  return (observed - byChance) / (1 - byChance);
}

/** What each wording came to, in order of first use; empty where the recipe lists none. */
export const countTemplates = (responses: readonly TeacherResponse[]): TemplateCounts[] =>
  [...groupBy(responses, ({ template }) => template?.name ?? '')].flatMap(([name, rows]) => {
    const digest = rows[0]?.template?.digest;
    if (digest === undefined) return [];
    const truth = (row: TeacherResponse) => ({ answer: row.truth });
    return [
      {
        ...{ name, digest, n: rows.length, readable: rows.filter(isReadable).length },
        asked: countByAnswer(rows.map(truth)),
        right: countByAnswer(rows.filter((row) => row.class === 'valid').map(truth)),
      },
    ];
  });
