import { nearestName } from '../domain/nearest.ts';
import { withoutUserinfo } from '../domain/without-userinfo.ts';
import type { FailureType } from '../domain/failures.ts';

/**
 * One thing that is wrong with the input of a run, found before anything is spent.
 *
 * `field` names the recipe field, environment variable or place; `where` says who set it (`demo.yaml:14`, `TRAIN_SAMPLES`,
 * `--set`); `type` is the failure that a run refused for it carries.
 */
export type Problem = { type: FailureType; field: string; problem: string; fix: string; where?: string };

/** `phaseA.epochs (demo.yaml:14): expected a number, got "three". Fix: …` */
export const problemText = ({ field, problem, fix, where }: Problem): string =>
  `${field}${where === undefined ? '' : ` (${where})`}: ${problem.replace(/\.$/, '')}. Fix: ${fix}`;

/**
 * All problems in one error whose `name` is the failure type of the first, so that Temporal shows it as the type of the
 * failure. The message has one line per problem.
 */
export function refusal(problems: readonly Problem[]): Error & { problems: readonly Problem[] } {
  const lines = problems.map(problemText);
  const message =
    lines.length === 1 ? lines.join('') : `${lines.length} problems:\n${lines.map((line) => `- ${line}`).join('\n')}`;
  const shown = problems.map((one) => ({ ...one, problem: withoutUserinfo(one.problem) }));
  const error = Object.assign(new Error(withoutUserinfo(message)), { problems: shown });
  error.name = problems[0]?.type ?? 'InvalidRecipe';
  return error;
}

/** Whether an error came from {@link refusal}. */
export const isRefusal = (error: unknown): error is Error & { problems: readonly Problem[] } =>
  error instanceof Error && 'problems' in error && Array.isArray(error.problems);

/** `did you mean phaseB?`, or the names there are when none is close. */
export function suggestName(name: string, candidates: readonly string[]): string {
  const nearest = nearestName(name, candidates);
  if (nearest !== null) return `write ${nearest}`;
  return candidates.length === 0 ? 'remove it' : `use one of ${candidates.join(', ')}`;
}
