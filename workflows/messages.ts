import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';
import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';
import type { Decision, DecisionInput, GateEvidence } from '../domain/gate-types.ts';
import type { TrainingLedger } from '../domain/ledger.ts';
import type { ProgrammeState } from '../domain/programme.ts';
import type { BatchWait } from '../domain/teacher-batches.ts';

/** Answer of the `gates` query: the open gate with its evidence, and everything decided so far. */
export type GatesView = {
  open: GateEvidence | null;
  waitingSince: string | null;
  history: GateEvidence[];
  decisions: Decision[];
};

/** `decide`: takes what people send as plain JSON, so its shape is checked on arrival. What is refused is recorded. */
export const decideSignal = defineSignal<[unknown]>('decide');
/** Same name, as an Update: refused synchronously with the reason, and then nothing changes. */
export const decideUpdate = defineUpdate<Decision, [DecisionInput]>('decide');
/**
 * A refused Update leaves no trace in a workflow's history, so the client that was refused sends what it had asked and
 * the refusal, to be kept beside the decisions. It can decide nothing.
 */
export const refusalSignal = defineSignal<[unknown, unknown]>('recordRefusal');
/** Whole state of the run; small plain JSON. */
export const statusQuery = defineQuery<ProgrammeState>('status');
/** Of a phase: what losses cost its training, once that has ended. */
export const ledgerQuery = defineQuery<TrainingLedger | null>('ledger');
/** Of a programme and of Phase B: the teacher's batches that are waited for; there once batches were sent. */
export const batchesQuery = defineQuery<BatchWait>('batches');
/** See {@link GatesView}. */
export const gatesQuery = defineQuery<GatesView>('gates');

/** Must exist in the namespace: `temporal operator search-attribute create --name RatchetPhase --type Keyword`. */
export const searchAttributes = {
  phase: defineSearchAttributeKey('RatchetPhase', SearchAttributeType.KEYWORD),
  gate: defineSearchAttributeKey('RatchetGate', SearchAttributeType.KEYWORD),
  recipe: defineSearchAttributeKey('RatchetRecipe', SearchAttributeType.KEYWORD),
};
