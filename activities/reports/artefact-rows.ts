import type { ArtefactRef } from '../../domain/records.ts';

/** What the report reads from: rows of JSONL artefacts, one after another, never a whole file at once. */
export type ArtefactRows = <Row>(ref: ArtefactRef) => AsyncIterable<Row>;
