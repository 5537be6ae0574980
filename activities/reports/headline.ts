import type { PhaseAttempt } from '../../domain/programme.ts';
import type { EvaluationMode, EvaluationSummary } from '../../domain/records.ts';

const modes: readonly EvaluationMode[] = ['direct', 'reasoning', 'no-draft', 'shuffled-draft'];

/** `B2/reasoning` → `reasoning`; an unknown mode counts as direct. */
export function modeOf(evaluation: string): EvaluationMode {
  const mode = evaluation.slice(evaluation.indexOf('/') + 1);
  return modes.find((known) => known === mode) ?? 'direct';
}

/**
 * The evaluation that its gate judges an attempt by: direct answers in Phase A, reasoning in Phase C. Phase B is asked
 * with the template it was trained on only if the recipe (or a remedy) shares it; the reference run did not.
 *
 * @param recipe the run's resolved recipe
 */
export function headlineOf(
  attempt: Pick<PhaseAttempt, 'phase' | 'evaluations' | 'remedies'>,
  recipe: unknown,
): EvaluationSummary | undefined {
  const ofRecipe = (recipe as { phaseB?: { sharedTemplate?: boolean } } | null)?.phaseB?.sharedTemplate;
  const shared = attempt.remedies?.sharedTemplate ?? ofRecipe ?? false;
  const wanted = attempt.phase === 'A' || (attempt.phase === 'B' && !shared) ? 'direct' : 'reasoning';
  return attempt.evaluations.find((evaluation) => modeOf(evaluation.name) === wanted) ?? attempt.evaluations[0];
}
