import { gpuHourUsdOf } from '../../activities/reports/collect-losses.ts';
import { runLedger } from '../../domain/ledger.ts';
import type { RunLedger } from '../../domain/ledger.ts';
import type { Snapshot } from '../temporal/snapshot.ts';

/** What losses cost a run so far: its finished phases and the one that is under way, as far as that one can tell. */
export const ledgerNow = ({ state, inFlight }: Pick<Snapshot, 'state' | 'inFlight'>): RunLedger =>
  runLedger([...state.phases, ...(state.ablation?.arms ?? [])], inFlight, gpuHourUsdOf(state.recipe));
