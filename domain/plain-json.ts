/**
 * Checks of what people send to a workflow as plain JSON. A check says what is wrong with a value, or null. No library
 * here, since this runs inside workflows; and nothing may throw there, whatever was sent: an error in a message handler
 * stops its run for good.
 */
export type Check = (value: unknown, name: string) => string | null;

type Fields = Record<string, unknown>;

/** Deeper values are shown by a word only: JSON.stringify runs out of stack some thousand levels down. */
const mostLevels = 100;

export const isObject = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Whether arrays and objects lie within each other more than so many levels deep. Needs no stack, however deep. */
export function isDeeperThan(value: unknown, levels: number): boolean {
  let level: unknown[] = [value];
  for (let depth = 0; depth <= levels; depth += 1) {
    const next: unknown[] = [];
    for (const each of level) {
      if (typeof each !== 'object' || each === null) continue;
      for (const inner of Object.values(each)) next.push(inner);
    }
    if (next.length === 0) return false;
    level = next;
  }
  return true;
}

/** A value as JSON text, cut to `most` characters; never throws. */
export function printed(value: unknown, most: number): string {
  if (value === undefined) return 'nothing';
  if (isDeeperThan(value, mostLevels)) return `more than ${mostLevels} levels of lists or objects`;
  return JSON.stringify(value).slice(0, most);
}

export const shown = (value: unknown): string => (value === undefined ? 'missing' : printed(value, 60));

export const text =
  (most: number): Check =>
  (value, name) =>
    typeof value === 'string' && value.trim() !== '' && value.length <= most
      ? null
      : `${name} must be a text of 1 to ${most} characters, is ${shown(value)}`;

export const number =
  (what: string, holds: (value: number) => boolean): Check =>
  (value, name) =>
    typeof value === 'number' && holds(value) ? null : `${name} must be ${what}, is ${shown(value)}`;

export const positiveInteger = (most: number): Check =>
  number(`a whole number from 1 to ${most}`, (value) => Number.isInteger(value) && value >= 1 && value <= most);

export const flag: Check = (value, name) =>
  typeof value === 'boolean' ? null : `${name} must be true or false, is ${shown(value)}`;
