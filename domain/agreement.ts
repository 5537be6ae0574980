import { meanOf } from './means.ts';
import type { Answer, DataReport, TeacherResponse } from './records.ts';

export type ResponseReport = NonNullable<DataReport['responses']>;
export type Agreement = NonNullable<ResponseReport['agreement']>;
export type TemplateCounts = NonNullable<ResponseReport['templates']>[number];

/**
 * Whether a response has an answer that can be used; one that was cut off before it was given has none, and a copy of another
 * one's says nothing of its own.
 */
export const isReadable = (response: TeacherResponse): response is TeacherResponse & { answer: Answer } =>
  response.answer !== null &&
  response.problem !== 'copied' &&
  (response.class === 'valid' || response.class === 'disagreed');

type Votes = { asked: number; yes: number; no: number };

/**
 * How far attempts at the same question agree, right or wrong; takes one response after the other. Questions with fewer than
 * two readable answers say nothing of it. Null when no question was asked twice.
 */
export function countAgreement() {
  const byQuestion = new Map<string, Votes>();
  return {
    add(response: TeacherResponse): void {
      const votes = byQuestion.get(response.id) ?? { asked: 0, yes: 0, no: 0 };
      byQuestion.set(response.id, votes);
      votes.asked += 1;
      if (isReadable(response)) votes[response.answer] += 1;
    },
    report: (): Agreement | null => agreementOf([...byQuestion.values()].filter(({ asked }) => asked > 1)),
  };
}

function agreementOf(votes: readonly Votes[]): Agreement | null {
  if (votes.length === 0) return null;
  const compared = votes.filter(({ yes, no }) => yes + no > 1);
  return {
    questions: votes.length,
    compared: compared.length,
    unanimous: compared.filter(({ yes, no }) => yes === 0 || no === 0).length,
    majorityShare: compared.length === 0 ? null : meanOf(compared.map(({ yes, no }) => Math.max(yes, no) / (yes + no))),
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
  const observed = meanOf(
    compared.map((votes) => {
      const n = votes.yes + votes.no;
      return (votes.yes * (votes.yes - 1) + votes.no * (votes.no - 1)) / (n * (n - 1));
    }),
  );
  const byChance = (yes / answers) ** 2 + (1 - yes / answers) ** 2;
  return (observed - byChance) / (1 - byChance);
}

/** What each wording came to, in order of first use; empty where the recipe lists none. */
export function countTemplates() {
  const byName = new Map<string, TemplateCounts>();
  return {
    add(response: TeacherResponse): void {
      if (response.template === undefined) return;
      const { name, digest } = response.template;
      const none = { asked: { yes: 0, no: 0 }, right: { yes: 0, no: 0 } };
      const counts = byName.get(name) ?? { name, digest, n: 0, readable: 0, ...none };
      byName.set(name, counts);
      counts.n += 1;
      if (isReadable(response)) counts.readable += 1;
      counts.asked[response.truth] += 1;
      if (response.class === 'valid') counts.right[response.truth] += 1;
    },
    report: (): TemplateCounts[] => [...byName.values()],
  };
}
