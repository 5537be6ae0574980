import type { FailedExperiment } from './gate-types.ts';

/** Why what needs the experiment is not measured. */
export const failureWords = ({ type, message }: Pick<FailedExperiment, 'type' | 'message'>): string =>
  `the experiment failed (${type}: ${message})`;

/** What stands where the result of a failed experiment would stand. */
export const failedText = (failed: FailedExperiment): string => `${failed.name} not measured: ${failureWords(failed)}`;
