import { runNameFix, runNameProblem } from '../domain/run-name.ts';
import type { Scope } from './contract.ts';
import { failure } from './failure.ts';

/**
 * Where a run keeps everything in S3. The name was checked before the run began; a state or scope that somebody else sent
 * may hold another.
 *
 * @throws InvalidRecipe where the name would lead out of the runs' folder
 */
export function runFolder(run: string): string {
  const wrong = runNameProblem(run);
  if (wrong !== null) throw failure('InvalidRecipe', `run: ${wrong}; ${runNameFix}`);
  return `runs/${run}`;
}

/** Name of an attempt at a phase; under it a stage pays. */
export const payerOf = ({ run, phase, attempt }: Scope): string => `${run}/${phase}-${attempt}`;

/** Where an attempt at a phase keeps its artefacts in S3. */
export const folderOf = ({ run, phase, attempt }: Scope): string => `${runFolder(run)}/${phase}-${attempt}`;
