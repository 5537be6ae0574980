import type { Scope } from './contract.ts';

/** Name of an attempt at a phase; under it a stage pays. */
export const payerOf = ({ run, phase, attempt }: Scope): string => `${run}/${phase}-${attempt}`;

/** Where an attempt at a phase keeps its artefacts in S3. */
export const folderOf = (scope: Scope): string => `runs/${payerOf(scope)}`;
