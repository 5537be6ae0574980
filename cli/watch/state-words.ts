import { headlineOf } from '../../activities/reports/headline.ts';
import { capWords } from '../../activities/reports/budget-words.ts';
import { count, duration, usd } from '../../activities/reports/quantities.ts';
import { oneLine } from '../../activities/reports/visible-text.ts';
import { remedyWords } from '../../activities/reports/remedy-words.ts';
import { attemptName as nameOfAttempt } from '../../domain/attempt-name.ts';
import { percentRange, share } from '../../domain/figures.ts';
import type { Decision } from '../../domain/gate-types.ts';
import type { PhaseAttempt, ProgrammeState, Stage } from '../../domain/programme.ts';
import { wilson } from '../../domain/statistics.ts';

/** Stages in which a run is over. */
export const isOver = (stage: Stage): stage is 'done' | 'stopped' | 'cancelled' | 'failed' =>
  stage === 'done' || stage === 'stopped' || stage === 'cancelled' || stage === 'failed';

/** As domain/attempt-name.ts. */
export const attemptName = ({ phase, attempt, round }: Pick<PhaseAttempt, 'phase' | 'attempt' | 'round'>): string =>
  nameOfAttempt(phase, attempt, round);

/** `59.4 % (408/687), 95 % 55.7–63.0 %`. */
export function accuracyWords(attempt: PhaseAttempt): string {
  const headline = headlineOf(attempt);
  if (!headline || headline.n === 0) return 'not evaluated';
  const { low, high } = wilson(headline.correct, headline.n, 0.95);
  return `${share(headline.correct, headline.n)}, 95 % ${percentRange(low, high)}`;
}

/** The decision that closed this attempt's gate. */
export const decisionOf = (
  state: ProgrammeState,
  { phase, attempt }: Pick<PhaseAttempt, 'phase' | 'attempt'>,
): Decision | undefined =>
  state.decisions.findLast((decision) => decision.accepted && decision.gate === phase && decision.attempt === attempt);

/** `fix (balance upsample) by Ada`; an override says so. */
export function decisionWords(decision: Decision): string {
  const { choice, remedies, capUsd, by, source, override, accepted, refusal } = decision;
  const who = source === 'policy' || source === 'deadline' ? source : oneLine(by ?? 'unnamed', 40);
  if (!accepted) return `${choice} by ${who} refused: ${oneLine(refusal ?? 'no reason given')}`;
  const cap = capUsd === undefined ? '' : ` to ${usd(capUsd)}`;
  return `${override ? 'OVERRIDE ' : ''}${choice}${cap}${remedies ? ` (${oneLine(remedyWords(remedies))})` : ''} by ${who}`;
}

/** `device 4 min 3 s · teacher 200 calls, $0.0214 · judge $0.01 · $0.42 of $5.00`. */
export function spentWords(state: ProgrammeState): string {
  const { gpuSeconds, teacherCalls, teacherUsd, judgeUsd } = state.spent;
  const simulated = state.teacher !== null && /simulated/iu.test(state.teacher.name) ? ' (simulated)' : '';
  const judge = judgeUsd === undefined ? '' : ` · judge ${usd(judgeUsd)}`;
  return `device ${duration(gpuSeconds)} · teacher${simulated} ${count(teacherCalls)} calls, ${usd(teacherUsd)}${judge}${capWords(state)}`;
}
