import { instant, shortDigest } from '../../activities/reports/quantities.ts';
import { budgetLines } from '../../activities/reports/budget-words.ts';
import { remedyWords } from '../../activities/reports/remedy-words.ts';
import { oneLine } from '../../activities/reports/visible-text.ts';
import { attemptName } from '../../domain/attempt-name.ts';
import { outcomeOf, reasonOf } from '../../domain/diagnosis-words.ts';
import type { GateEvidence, Verdict } from '../../domain/gate-types.ts';
import { qualityLines } from '../../domain/question-quality.ts';
import { failedText } from '../../domain/failed-experiment.ts';
import type { GatesView } from '../../workflows/messages.ts';
import type { Paint } from '../terminal.ts';
import { decisionWords } from '../watch/state-words.ts';

const marks = { pass: '✓', fail: '✗', inconclusive: '?' } as const;

const toned = (verdict: Verdict, paint: Paint) =>
  (verdict === 'pass' ? paint.good : verdict === 'fail' ? paint.bad : paint.unsure)(`${marks[verdict]} ${verdict}`);

/** Everything a person should see before deciding. Pure. */
export function evidenceText(evidence: GateEvidence, paint: Paint): string[] {
  const { recommendation, options } = evidence;
  const quality = evidence.questionQuality;
  const remedies = recommendation.remedies ? ` (${oneLine(remedyWords(recommendation.remedies))})` : '';
  return [
    paint.strong(`Gate ${attemptName(evidence.gate, evidence.attempt, evidence.round)}: `) +
      toned(evidence.verdict, paint),
    ...(evidence.budget === undefined ? [] : budgetLines(evidence.budget).map((line) => `  ${line}`)),
    ...evidence.criteria.map(({ verdict, text }) => `  ${toned(verdict, paint)}  ${oneLine(text, 400)}`),
    ...((evidence.experiments ?? evidence.failedExperiments) === undefined
      ? []
      : ['Experiments, which promote nothing by themselves']),
    ...(evidence.experiments ?? []).map(({ name, verdict, text }) => {
      const line = `${name}: ${oneLine(text, 400)}`;
      return verdict === null ? paint.soft(`  ${line}`) : `  ${toned(verdict, paint)}  ${line}`;
    }),
    ...(evidence.failedExperiments ?? []).map(
      (failed) => `  ${paint.bad('! failed')}  ${oneLine(failedText(failed), 700)}`,
    ),
    ...(evidence.diagnosis.length === 0 ? [] : ['Diagnosis']),
    ...evidence.diagnosis.map((finding) => {
      const line = `${finding.cause}: ${oneLine(reasonOf(finding), 400)}`;
      const outcome = outcomeOf(finding).padEnd('not measured'.length);
      if (finding.found === null) return `  ${paint.unsure(outcome)}  ${line}`;
      return finding.found ? `  ${paint.bad(outcome)}  ${line}` : paint.soft(`  ${outcome}  ${line}`);
    }),
    ...(quality ? ['Question quality', ...qualityLines(quality).map((line) => `  ${oneLine(line, 400)}`)] : []),
    `Recommended: ${paint.strong(recommendation.choice)}${remedies}. ${oneLine(recommendation.reason, 400)}`,
    `Options: ${options.join(', ')}   evidence ${shortDigest(evidence.digest)}`,
  ];
}

/** Answer of `ratchet gates`: the open gate in full, earlier ones in a line each, and every decision. Pure. */
export function gatesText(run: string, view: GatesView, paint: Paint): string[] {
  const earlier = view.history.filter(({ digest }) => digest !== view.open?.digest);
  return [
    ...earlier.map(
      (evidence) =>
        `Gate ${evidence.gate}, attempt ${String(evidence.attempt)}${evidence.round ? ` (round ${String(evidence.round.number)})` : ''}: ${toned(evidence.verdict, paint)}`,
    ),
    ...(view.decisions.length === 0 ? [] : [paint.strong('Decisions')]),
    ...view.decisions.map((decision) => {
      const line = `  ${instant(decision.at)}  Gate ${decision.gate}: ${decisionWords(decision)}${decision.note ? `, “${oneLine(decision.note, 300)}”` : ''}`;
      return decision.accepted ? (decision.override ? paint.bad(line) : line) : paint.soft(line);
    }),
    ...(view.open === null
      ? ['No gate waits for a decision.']
      : [
          '',
          ...evidenceText(view.open, paint),
          `Waiting since ${view.waitingSince === null ? 'now' : instant(view.waitingSince)}. Decide: ${decideCommand(run, view.open)}`,
        ]),
  ];
}

/** The command that takes the recommendation; at the budget gate the one that lets the run go on. */
export const decideCommand = (run: string, { gate, recommendation, budget }: GateEvidence): string =>
  `ratchet decide ${run} ${gate} ${budget === undefined ? recommendation.choice : `raise --cap ${budget.leastCapUsd.toFixed(2)}`}`;
