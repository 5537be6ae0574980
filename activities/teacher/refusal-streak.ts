import type { CallFault } from './teacher-failure.ts';

/** So many equal refusals before the first answer, and so many in a row after it, are no chance of single rows. */
const beforeAnswers = 8;
const afterAnswers = 32;
/** A stage of so few requests, all refused alike, says as much. */
const fewest = 3;
/** Behind so much of a message servers quote what was sent. */
const comparedCharacters = 80;

type Refused = Extract<CallFault, { kind: 'row' }>;

/** What is equal in two refusals of the same: without quotations, numbers, ids. */
const gist = ({ reason, message }: Refused): string => {
  const words = message
    .slice(0, 500)
    .replace(/"[^"]*"|`[^`]*`|“[^”]*”|(?<!\w)'[^']*'(?!\w)/g, '…')
    .replace(/\b[\w-]*\d[\w-]*\b/g, '#');
  return `${reason} ${words.replace(/\s+/g, ' ').slice(0, comparedCharacters).toLowerCase()}`;
};

/**
 * Tells a setting that a server refuses from rows that are refused alone: the first has every request refused, in the same
 * words.
 */
export function trackRefusals() {
  let answered = false;
  let [last, equal, inARow] = ['', 0, 0];
  let first: Refused | null = null;
  const asRejection = (fault: Refused, count: number): CallFault => ({
    kind: 'rejected',
    reason: 'bad-setting',
    message: `${count} requests in a row were refused, the last with: ${fault.message}`,
  });
  return {
    answered: (): void => {
      answered = true;
      [last, equal, inARow] = ['', 0, 0];
    },
    /** @returns what ends the stage; null = nothing, the row fails alone */
    refused: (fault: Refused): CallFault | null => {
      const said = gist(fault);
      equal = said === last ? equal + 1 : 1;
      last = said;
      inARow += 1;
      first ??= fault;
      const most = answered ? afterAnswers : beforeAnswers;
      // Before the first answer, refusals in whatever words are as telling, if there are more of them.
      if (equal < most && (answered || inARow < afterAnswers)) return null;
      return asRejection(fault, Math.max(equal, answered ? 0 : inARow));
    },
    /** @returns what ends a stage whose requests were all refused alike */
    atTheEnd: (requests: number): CallFault | null =>
      !answered && equal === requests && requests >= fewest && first?.reason === 'bad-request'
        ? asRejection(first, requests)
        : null,
  };
}
