import { count, instant, shortDigest } from '../activities/reports/quantities.ts';
import { remedyWords } from '../activities/reports/remedy-words.ts';
import { oneLine } from '../activities/reports/visible-text.ts';
import type { Lineage, LineageStep } from '../domain/lineage.ts';
import type { ArtefactRef, ClassCounts } from '../domain/records.ts';
import type { Paint } from './terminal.ts';
import { decisionWords } from './watch/state-words.ts';

const artefact = ({ uri, sha256, rows }: ArtefactRef): string =>
  `${rows === 0 ? '' : `${count(rows)} rows, `}${shortDigest(sha256)}  ${uri}`;
const classes = ({ yes, no }: ClassCounts): string => `${count(yes)} yes, ${count(no)} no`;

const teacherWords = ({ name, server }: { name: string; server?: string }): string =>
  oneLine(server === undefined ? name : `${name} of ${server}`);

/** From the base to the model, a paragraph per training. Pure. */
export function lineageText(lineage: Lineage, paint: Paint): string[] {
  const { model, base, overridden, runs, steps } = lineage;
  return [
    `${paint.strong('Model')}     ${model === null ? 'the base: nothing was promoted' : artefact(model)}`,
    ...(overridden ? [paint.bad('A gate on the way did not pass and was overridden.')] : []),
    `Base      ${oneLine(baseWords(base), 200)}`,
    ...runs.flatMap((run) => [
      '',
      `${paint.strong(`Run ${run.run}`)}, recipe ${run.recipe} ${shortDigest(run.recipeDigest)}`,
      ...(run.questions === null
        ? []
        : [
            `  questions  trained   ${artefact(run.questions.train)}`,
            `             evaluated ${artefact(run.questions.evaluation)}`,
          ]),
      ...(run.drafts === null ? [] : [`  drafts     ${artefact(run.drafts.train)}`]),
      ...(run.teacher === null
        ? []
        : [`  teacher    ${teacherWords(run.teacher)}: ${artefact(run.teacher.responses)}`]),
    ]),
    ...steps.flatMap((step) => ['', ...stepText(step, paint)]),
  ];
}

/** The `model` block of a recipe in words: `builtin:tiny, 4-bit NF4`. A field that these words do not know is named. */
export function baseWords(model: unknown): string {
  if (typeof model !== 'object' || model === null) return String(model);
  const { base, revision, use4bit, dtype, ...rest } = model as Record<string, unknown>;
  const text = (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value));
  return [
    `${text(base)}${revision === undefined ? '' : ` at ${text(revision)}`}`,
    ...(use4bit === undefined ? [] : [use4bit === true ? '4-bit NF4' : 'not quantised']),
    ...(dtype === undefined ? [] : [dtype === 'auto' ? 'bfloat16 where the hardware has it' : text(dtype)]),
    ...Object.entries(rest).map(([name, value]) => `${name} ${text(value)}`),
  ].join(', ');
}

function stepText(step: LineageStep, paint: Paint): string[] {
  const override = step.outcome === 'promoted-by-override';
  const outcome = override ? paint.bad(step.outcome) : step.outcome;
  return [
    `${paint.strong(`Phase ${step.attempt}`)}${step.round ? ` (round ${String(step.round.number)})` : ''} of ${step.run}: ${outcome}${step.remedies ? ` (changed: ${oneLine(remedyWords(step.remedies))})` : ''}`,
    `  adapter    ${artefact(step.adapter)}`,
    ...(step.round === undefined
      ? []
      : [`  drafts     ${artefact(step.round.drafts)}`, `  teacher    ${artefact(step.round.responses)}`]),
    `  trained on ${artefact(step.corpus)}`,
    ...step.dataReport.steps.map(
      ({ name, before, after }) => `             ${name}: ${classes(before)} → ${classes(after)}`,
    ),
    ...(step.gate === null
      ? []
      : [
          `  gate       ${step.gate.verdict}, evidence ${shortDigest(step.gate.evidence)}`,
          ...step.gate.criteria.map(({ verdict, text }) => `             ${verdict}: ${oneLine(text, 300)}`),
        ]),
    ...step.evaluations.map(({ name, items }) => `  evaluated  ${name}: ${artefact(items)}`),
    ...step.decisions.map(
      (decision) =>
        `  decided    ${instant(decision.at)} ${override ? paint.bad(decisionWords(decision)) : decisionWords(decision)}${decision.note ? `, “${oneLine(decision.note, 300)}”` : ''}`,
    ),
  ];
}
