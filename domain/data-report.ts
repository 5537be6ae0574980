import type { Agreement, ResponseReport, TemplateCounts } from './agreement.ts';
import { percent, share, signedFigure } from './figures.ts';
import type { ClassCounts, DataReport, DataSource, DataStep } from './records.ts';

/** Text of the data report; the figures themselves are the counts of the report. */

export const total = (counts: ClassCounts): number => counts.yes + counts.no;

/** Share of yes; 0 for no rows. */
export const yesShare = (counts: ClassCounts): number => (total(counts) === 0 ? 0 : counts.yes / total(counts));

/** `45.5/54.5 % yes/no`. */
export const balanceText = (counts: ClassCounts): string =>
  total(counts) === 0
    ? 'no rows'
    : `${percent(yesShare(counts)).replace(' %', '')}/${percent(1 - yesShare(counts))} yes/no`;

/** `drop-disagreements: 200 → 137 rows, 45.5/54.5 % yes/no → 28.5/71.5 % yes/no; removed 63 disagreed (52 yes, 11 no)`. */
export function stepText(step: DataStep): string {
  const removed = step.removed.map(
    ({ reason, counts }) => `${total(counts)} ${reason} (${counts.yes} yes, ${counts.no} no)`,
  );
  const change = `${total(step.before)} → ${total(step.after)} rows, ${balanceText(step.before)} → ${balanceText(step.after)}`;
  return `${step.name}: ${change}${removed.length === 0 ? '' : `; removed ${removed.join(', ')}`}`;
}

const repairedText = (repaired = 0): string => (repaired === 0 ? '' : `, half characters replaced in ${repaired}`);

const kindsText = (problems: ResponseReport['problems'] = {}): string => {
  const kinds = Object.entries(problems).map(([kind, count]) => `${count} ${kind}`);
  return kinds.length === 0 ? '' : `; problems: ${kinds.join(', ')}`;
};

const agreementText = ({ questions, compared, unanimous, majorityShare, kappa }: Agreement): string =>
  [
    `agreement: ${compared} of ${questions} questions have two readable answers or more`,
    ...(majorityShare === null
      ? []
      : [`all agree on ${share(unanimous, compared)}`, `a majority has ${percent(majorityShare)} of the answers`]),
    ...(kappa === null ? [] : [`Fleiss κ ${signedFigure(kappa)}`]),
  ].join(', ');

const templateText = ({ name, digest, n, readable, asked, right }: TemplateCounts): string =>
  `wording ${name} (${digest.slice(0, 12)}): right ${share(total(right), n)}, readable ${share(readable, n)}, ${balanceText(asked)} asked, ${balanceText(right)} right`;

/** Classes and problems of the teacher's responses; agreement and wordings where there are several. */
export const responseLines = (responses: ResponseReport): string[] => {
  const classes = Object.entries(responses.byClass).filter(([name, count]) => count > 0 || name === 'unparsable');
  const parts = classes.map(([name, count]) => `${name} ${share(count, responses.n)}`);
  return [
    `teacher responses: ${responses.n}, ${parts.join(', ')}, not in the asked form ${share(responses.lenient, responses.n)}${repairedText(responses.repaired)}${kindsText(responses.problems)}`,
    ...(responses.agreement ? [agreementText(responses.agreement)] : []),
    ...(responses.templates ?? []).map(templateText),
  ];
};

/** `hf://o/n: 4,000 rows of 4 files (data/train-00000-of-00004.jsonl 1,000, …), revision 1f0a…`, and what comes twice. */
export function sourceLines({ name, files, more = 0, revision, repeated, contradicting }: DataSource): string[] {
  const rows = files.reduce((sum, file) => sum + file.rows, 0);
  const list = files.map((file) => `${file.name} ${file.rows}`).join(', ');
  const several = files.length + more;
  const of =
    several === 1 && files[0]?.name === name
      ? ''
      : ` of ${several} ${several === 1 ? 'file' : 'files'} (${list}${more > 0 ? ` and ${more} more` : ''})`;
  const lines = [
    `source ${name}: ${more > 0 ? 'more than ' : ''}${rows} rows${of}${revision === undefined ? '' : `, revision ${revision}`}`,
  ];
  if (repeated !== undefined) lines.push(`${repeated} questions come more than once`);
  if (contradicting) {
    const [first, other] = contradicting.first;
    lines.push(`${contradicting.count} questions come with both answers, first those of rows ${first} and ${other}`);
  }
  return lines;
}

/** One line per step and per kind of generated text. */
export function dataReportLines(report: DataReport): string[] {
  const lines = [...(report.source ? sourceLines(report.source) : []), ...report.steps.map(stepText)];
  const { drafts, responses, pairs } = report;
  if (drafts) {
    lines.push(
      `drafts: ${drafts.n}, right ${share(drafts.correct, drafts.n)}, truncated ${share(drafts.truncated, drafts.n)}, unparsable ${share(drafts.unparsable, drafts.n)}, not in the asked form ${share(drafts.lenient, drafts.n)}${repairedText(drafts.repaired)}`,
    );
  }
  if (responses) lines.push(...responseLines(responses));
  if (pairs) {
    const gap = pairs.meanChosenChars - pairs.meanRejectedChars;
    lines.push(
      `pairs: ${pairs.n}, flipped ${share(pairs.flipped, pairs.n)}, duplicates dropped ${pairs.duplicates}, chosen ${Math.round(pairs.meanChosenChars)} characters against ${Math.round(pairs.meanRejectedChars)} (gap ${Math.round(gap)})`,
    );
  }
  return lines;
}

/** Steps of both, newer figures over older ones. */
export const mergeReports = (older: DataReport, newer: DataReport): DataReport => ({
  ...older,
  ...newer,
  steps: [...older.steps, ...newer.steps],
});
