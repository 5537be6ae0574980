import type { GateName, RoundName } from './gate-types.ts';

/** An attempt as people read it: `B`, `B, try 2`, `C, round 2`, `C, round 2, try 2`. */
export const attemptName = (phase: GateName, attempt: number, round?: RoundName): string => {
  const tried = round?.try ?? attempt;
  return `${phase}${round === undefined ? '' : `, round ${round.number}`}${tried === 1 ? '' : `, try ${tried}`}`;
};
