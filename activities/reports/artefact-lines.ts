import type { ArtefactRef } from '../../domain/records.ts';

/** What the report reads from: lines of JSONL artefacts, one after another, never a whole file at once. */
export type ArtefactLines = (ref: ArtefactRef) => AsyncIterable<string>;
