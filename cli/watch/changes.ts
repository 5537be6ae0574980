import { warningLines } from '../../activities/reports/budget-words.ts';
import { count } from '../../activities/reports/quantities.ts';
import { share } from '../../domain/figures.ts';
import { oneLine } from '../../activities/reports/visible-text.ts';
import type { BatchWait } from '../../domain/teacher-batches.ts';
import type { ActivityNow, Snapshot } from '../temporal/snapshot.ts';
import { activityName, progressWords, retryWords } from './activity-words.ts';
import { batchList, batchProgress, batchWords } from './batch-words.ts';
import { accuracyWords, attemptName, decisionWords } from './state-words.ts';
import { failedText } from '../../domain/failed-experiment.ts';

/** One thing that changed between two looks; `kind` is for `--json`, `text` for people. */
export type Change = {
  kind: 'stage' | 'progress' | 'retry' | 'phase' | 'gate' | 'decision' | 'budget' | 'end';
  text: string;
  detail?: unknown;
};

/** Progress is told at every tenth of an activity, so that an unattended log stays short. */
const tenths = 10;

/** What is new in `now`. Without an earlier look everything is. Pure. */
export function changesBetween(before: Snapshot | null, now: Snapshot): Change[] {
  const changes: Change[] = [];
  const { state } = now;
  if (before?.state.stage !== state.stage) changes.push({ kind: 'stage', text: `stage: ${state.stage}` });
  for (const activity of now.activities) changes.push(...activityChanges(find(before, activity), activity));
  changes.push(...batchChanges(before, now));
  const known = new Set(before?.state.phases.map(attemptName));
  for (const attempt of state.phases) {
    if (known.has(attemptName(attempt))) continue;
    const text = `Phase ${attemptName(attempt)}: ${accuracyWords(attempt)}, ${count(attempt.steps)} steps`;
    changes.push({ kind: 'phase', text, detail: { phase: attempt.phase, attempt: attempt.attempt } });
  }
  for (const arm of state.ablation?.arms.slice(before?.state.ablation?.arms.length ?? 0) ?? []) {
    const { name, seed, evaluation, steps } = arm;
    const text = `arm ${name}, seed ${String(seed)}: ${share(evaluation.correct, evaluation.n)}, ${count(steps)} steps`;
    changes.push({ kind: 'phase', text, detail: { arm: name, seed } });
  }
  for (const attempt of state.phases) {
    const { evidence } = attempt;
    const told = before?.state.phases.some((old) => attemptName(old) === attemptName(attempt) && old.evidence !== null);
    if (evidence === null || told) continue;
    changes.push({
      kind: 'gate',
      text: `Gate ${attemptName(attempt)}: ${evidence.verdict}; recommended: ${evidence.recommendation.choice}`,
      detail: { gate: evidence.gate, verdict: evidence.verdict },
    });
    for (const { verdict, text } of evidence.criteria)
      changes.push({ kind: 'gate', text: `  ${verdict}: ${oneLine(text, 300)}` });
    for (const { verdict, name, text } of evidence.experiments ?? [])
      if (verdict !== null)
        changes.push({ kind: 'gate', text: `  experiment ${name}, ${verdict}: ${oneLine(text, 300)}` });
    for (const failed of evidence.failedExperiments ?? [])
      changes.push({ kind: 'gate', text: `  experiment ${oneLine(failedText(failed), 700)}` });
    for (const { found, text } of evidence.diagnosis)
      if (found) changes.push({ kind: 'gate', text: `  found: ${oneLine(text, 300)}` });
  }
  for (const text of warningLines(state).slice(before?.state.budget?.warnings.length ?? 0))
    changes.push({ kind: 'budget', text });
  for (const decision of state.decisions.slice(before?.state.decisions.length ?? 0))
    changes.push({ kind: 'decision', text: `Gate ${decision.gate}: ${decisionWords(decision)}`, detail: decision });
  if (now.gates.open !== null && before?.gates.open?.digest !== now.gates.open.digest)
    changes.push({
      kind: 'gate',
      text: `Gate ${now.gates.open.gate} waits for a decision`,
      detail: { gate: now.gates.open.gate, evidence: now.gates.open.digest },
    });
  if (now.closed !== null && (before === null || before.closed === null))
    changes.push({
      kind: 'end',
      text: `${now.closed}${state.conclusion === null ? '' : `: ${oneLine(state.conclusion, 400)}`}`,
    });
  return changes;
}

/** The same activity at the look before: two of one type may be under way at once. */
const find = (before: Snapshot | null, { id, type }: ActivityNow) =>
  before?.activities.find((activity) => activity.id === id && activity.type === type);

function activityChanges(old: ActivityNow | undefined, now: ActivityNow): Change[] {
  const changes: Change[] = [];
  const name = activityName(now.type);
  if (now.attempt > (old?.attempt ?? 1)) changes.push({ kind: 'retry', text: `${name}: ${retryWords(now)}` });
  if (tenthOf(now) > tenthOf(old))
    changes.push({ kind: 'progress', text: `${name}: ${progressWords(now)}`, detail: now.progress });
  return changes;
}

/** Batches of a new round with their ids, and each tenth of what is in them. */
function batchChanges(before: Snapshot | null, { batches }: Snapshot): Change[] {
  if (!batches) return [];
  const old = before?.batches?.round === batches.round ? before.batches : undefined;
  const tenth = (wait: BatchWait): number => {
    const { done, total } = batchProgress(wait);
    return Math.floor((done / total) * tenths);
  };
  if (old && tenth(old) >= tenth(batches)) return [];
  const text = `waiting for the teacher: ${batchWords(batches)}${old ? '' : `: ${batchList(batches).join(', ')}`}`;
  return [{ kind: 'progress', text, detail: batches }];
}

/** −1 without progress. */
function tenthOf(activity: ActivityNow | undefined): number {
  const progress = activity?.progress;
  return progress && progress.total > 0 ? Math.floor((progress.done / progress.total) * tenths) : -1;
}
