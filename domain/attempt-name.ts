import type { RoundName } from './gate-types.ts';
import type { PhaseName } from './records.ts';

/** An attempt as people read it: `B`, `B, try 2`, `C, round 2`, `C, round 2, try 2`. */
export const attemptName = (phase: PhaseName, attempt: number, round?: RoundName): string => {
  const tried = round?.try ?? attempt;
  return `${phase}${round === undefined ? '' : `, round ${round.number}`}${tried === 1 ? '' : `, try ${tried}`}`;
};
