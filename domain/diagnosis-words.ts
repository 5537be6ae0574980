import type { Finding } from './gate-types.ts';

/** What became of a check: one that lacks its numbers rules nothing out. */
export const outcomeOf = ({ found }: Pick<Finding, 'found'>): 'found' | 'ruled out' | 'not measured' =>
  found === null ? 'not measured' : found ? 'found' : 'ruled out';

/** The text of a finding behind its outcome, which it may begin with itself. */
export const reasonOf = ({ found, text }: Pick<Finding, 'found' | 'text'>): string =>
  found === null ? text.replace(/^not measured: /, '') : text;
