import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** Something that doctor tries. `look` resolves to what was found; its rejection is the finding. */
export type Look = {
  name: string;
  /** What to do about it, unless a StackProblem says it better. */
  fix: string;
  look: () => Promise<string>;
};

/** Runs a program to its end; rejects when it is missing or fails. */
export const run = promisify(execFile);
