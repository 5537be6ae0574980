import type { LossKind, RunLedger, TrainingLedger } from '../../domain/ledger.ts';
import { lossKinds } from '../../domain/ledger.ts';
import { count, duration, usd } from './quantities.ts';

/** What a kind of loss is called. */
const names: Record<LossKind, string> = {
  notice: 'with notice',
  'host-lost': 'host or trainer lost',
  'lease-lost': 'lease taken over',
  stalled: 'stalled',
  'out-of-memory': 'out of memory',
  infrastructure: 'infrastructure error',
};

/** `2 host or trainer lost, 1 stalled`; empty for runs of older versions, which did not tell kinds apart. */
export const kindWords = ({ byKind }: Pick<TrainingLedger, 'byKind'>): string =>
  lossKinds
    .filter((kind) => byKind[kind] !== undefined)
    .map((kind) => `${count(byKind[kind] ?? 0)} ${names[kind]}`)
    .join(', ');

/** `cut off 3 times (2 host or trainer lost, 1 stalled) · 40 steps redone · 38 s to new steps · 52 s of GPU, $0.0051`. */
export function lossWords(ledger: RunLedger): string {
  const kinds = kindWords(ledger);
  const money = ledger.usdLost > 0 ? `, ${usd(ledger.usdLost)}` : '';
  return [
    `cut off ${ledger.lost === 1 ? 'once' : `${count(ledger.lost)} times`}${kinds === '' ? '' : ` (${kinds})`}`,
    `${count(ledger.stepsRedone)} ${ledger.stepsRedone === 1 ? 'step' : 'steps'} redone`,
    `${duration(ledger.secondsToNextStep)} to new steps`,
    `${duration(ledger.gpuSecondsLost)} of GPU${money}`,
  ].join(' · ');
}
