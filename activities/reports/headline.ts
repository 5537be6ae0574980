import type { PhaseAttempt } from '../../domain/programme.ts';
import type { EvaluationMode, EvaluationSummary } from '../../domain/records.ts';

const modes: readonly EvaluationMode[] = ['direct', 'reasoning', 'no-draft', 'shuffled-draft'];

/** `B2/reasoning` → `reasoning`; an unknown mode counts as direct. */
export function modeOf(evaluation: string): EvaluationMode {
  const mode = evaluation.slice(evaluation.indexOf('/') + 1);
  return modes.find((known) => known === mode) ?? 'direct';
}

/** The evaluation that its gate judges an attempt by. */
export function headlineOf(attempt: Pick<PhaseAttempt, 'evaluations' | 'candidate'>): EvaluationSummary | undefined {
  return attempt.evaluations.find(({ name }) => name === attempt.candidate) ?? attempt.evaluations[0];
}
