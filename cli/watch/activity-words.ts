import { oneLine } from '../../activities/reports/visible-text.ts';
import { count, duration, significant, usd } from '../../activities/reports/quantities.ts';
import type { ActivityNow } from '../temporal/snapshot.ts';

const words: Record<string, string> = {
  resolveRecipe: 'reading the recipe',
  prepareData: 'preparing questions',
  generateDrafts: 'student drafts',
  askTeacher: 'asking the teacher',
  judgePairs: 'asking the judge',
  planBatches: 'planning batches',
  submitBatch: 'sending a batch',
  lookAtBatches: 'looking at batches',
  collectBatch: 'collecting a batch',
  cancelBatches: 'cancelling batches',
  buildAnswerCorpus: 'building the corpus',
  buildReasoningCorpus: 'building the corpus',
  buildPairs: 'building pairs',
  trainSft: 'training',
  trainDpo: 'training by preferences',
  evaluate: 'evaluating',
  attribute: 'attributing answers',
  judgeGate: 'judging the gate',
  resolveAblation: 'reading the recipe',
  compareArms: 'comparing the arms',
  budgetEvidence: 'adding up',
  saveState: 'saving',
  loadState: 'reading the older run',
  writeReport: 'writing the report',
};

/** What an activity does, for people. */
export const activityName = (type: string): string => words[type] ?? type;

/** `████████░░░░`; a share outside 0–1 is clamped. */
export function bar(share: number, width: number): string {
  const full = Math.round(Math.min(1, Math.max(0, Number.isFinite(share) ? share : 0)) * width);
  return '█'.repeat(full) + '░'.repeat(width - full);
}

/** `120/300 · loss 0.482 · 1,240 tokens/s · ETA 2 min`; empty without progress. */
export function progressWords({ progress }: ActivityNow): string {
  if (progress === null) return '';
  const { done, total, loss, tokensPerSecond, etaSeconds, checkpointStep, spentUsd = 0, label } = progress;
  const parts = [
    label ? oneLine(label, 40) : '',
    `${count(done)}/${count(total)}`,
    loss === undefined ? '' : `loss ${significant(loss, 3)}`,
    tokensPerSecond === undefined ? '' : `${count(tokensPerSecond)} tokens/s`,
    checkpointStep === undefined ? '' : `checkpoint ${count(checkpointStep)}`,
    spentUsd > 0 ? `spent ${usd(spentUsd)}` : '',
    etaSeconds === undefined ? '' : `ETA ${duration(etaSeconds)}`,
  ];
  return parts.filter((part) => part !== '').join(' · ');
}

/** `try 3 after: worker lost`, or nothing on a first try. */
export function retryWords({ attempt, failure }: ActivityNow): string {
  if (attempt <= 1 && failure === null) return '';
  return `try ${String(attempt)}${failure === null ? '' : ` after: ${oneLine(failure, 120)}`}`;
}
