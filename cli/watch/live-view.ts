import { count, duration } from '../../activities/reports/quantities.ts';
import { warningLines } from '../../activities/reports/budget-words.ts';
import { lossWords } from '../../activities/reports/loss-words.ts';
import { oneLine } from '../../activities/reports/visible-text.ts';
import type { PhaseAttempt, ProgrammeState } from '../../domain/programme.ts';
import type { Snapshot } from '../temporal/snapshot.ts';
import type { Paint } from '../terminal.ts';
import { ledgerNow } from './ledger-now.ts';
import { share } from '../../domain/figures.ts';
import { armLines } from '../ablation-text.ts';
import { activityName, bar, progressWords, retryWords } from './activity-words.ts';
import { batchList, batchProgress, batchWords } from './batch-words.ts';
import { accuracyWords, attemptName, decisionOf, decisionWords, isOver, spentWords } from './state-words.ts';

const stageNames = {
  data: 'Data',
  drafts: 'Drafts',
  teacher: 'Teacher',
  phaseA: 'Phase A',
  phaseB: 'Phase B',
  phaseC: 'Phase C',
} as const;
type Part = keyof typeof stageNames;
const allParts = Object.keys(stageNames) as Part[];
/** An ablation has arms in place of Phase C. */
const partsOf = ({ ablation }: ProgrammeState): Part[] =>
  ablation === undefined ? allParts : allParts.filter((part) => part !== 'phaseC');

/** The whole view as lines: pure, so that it can be tested without a terminal. Lines may be longer than the screen. */
export function liveView(snapshot: Snapshot, paint: Paint): string[] {
  const { state } = snapshot;
  const end = state.finishedAt ?? snapshot.at;
  const elapsed = (Date.parse(end) - Date.parse(state.startedAt)) / 1000;
  return [
    `${paint.strong(oneLine(state.run, 60))}  ${paint.soft(`${oneLine(state.recipeName, 40)} · ${duration(elapsed)}`)}`,
    ...partsOf(state).flatMap((part) => partLines(part, snapshot, paint)),
    ...ablationLines(snapshot, paint),
    ...(snapshot.gates.open ? [gateLine(snapshot, paint)] : []),
    paint.soft(spentWords(state)),
    ...warningLines(state).map(paint.unsure),
    ...lossLines(snapshot, paint),
  ];
}

/** What is known of a part: its result, what runs in it now, or that it is still to come. */
function partLines(part: Part, snapshot: Snapshot, paint: Paint): string[] {
  const { state } = snapshot;
  const running = state.stage === part;
  const attempts = state.phases.filter(({ phase }) => `phase${phase}` === part);
  const results = attempts.map((attempt) => {
    const good = attempt.outcome.startsWith('promoted');
    const verdict = attempt.evidence === null ? '' : ` · gate ${attempt.evidence.verdict}`;
    const decision = decisionOf(state, attempt);
    const mark = good ? paint.good('✓') : attempt.outcome === 'rejected' ? paint.bad('✗') : paint.unsure('?');
    const decided = decision
      ? ` → ${decision.override ? paint.bad(decisionWords(decision)) : decisionWords(decision)}`
      : '';
    return `${mark} ${named(`Phase ${attemptName(attempt)}`)} ${accuracyWords(attempt)}${verdict}${decided}`;
  });
  const early = earlyResult(part, state);
  if (early !== null && !running) return [`${paint.good('✓')} ${named(stageNames[part])} ${early}`];
  if (!running || isOver(state.stage)) return results.length > 0 ? results : [paint.soft(`· ${stageNames[part]}`)];
  if (state.waiting !== null) return results;
  return [...results, ...activityLines(`${stageNames[part]}${nowTried(attempts)}`, snapshot, paint)];
}

/** Which round and try of a phase runs. An attempt whose gate is not decided yet is the one that is worked on. */
function nowTried(attempts: PhaseAttempt[]): string {
  const last = attempts.findLast(({ outcome }) => outcome !== 'pending');
  if (last === undefined) return '';
  const round = last.round?.number ?? 1;
  // After a promotion only Phase C goes on, with its next round.
  if (last.outcome.startsWith('promoted')) return `, round ${String(round + 1)}`;
  const tried = (last.round?.try ?? last.attempt) + 1;
  return `${round === 1 ? '' : `, round ${String(round)}`}, try ${String(tried)}`;
}

function ablationLines(snapshot: Snapshot, paint: Paint): string[] {
  const { stage, ablation } = snapshot.state;
  if (ablation === undefined) return [];
  const now = `Arm ${String(ablation.arms.length + 1)} of ${String(ablation.planned.length)}`;
  return [...armLines(ablation, paint), ...(stage === 'ablation' ? activityLines(now, snapshot, paint) : [])];
}

/** What losses cost so far, those of the training that runs now included. */
function lossLines(snapshot: Snapshot, paint: Paint): string[] {
  const ledger = ledgerNow(snapshot);
  return ledger.lost === 0 ? [] : [paint.unsure(lossWords(ledger))];
}

const named = (name: string) => name.padEnd(14);

function activityLines(title: string, { activities, batches }: Snapshot, paint: Paint): string[] {
  if (batches && activities.length === 0) {
    const { done, total } = batchProgress(batches);
    const meter = paint.accent(bar(done / total, 16));
    return [
      `${paint.accent('▶')} ${named(title)} waiting for the teacher ${meter} ${batchWords(batches)}`,
      ...batchList(batches).map((line) => paint.soft(`  ${named('')} ${line}`)),
    ];
  }
  if (activities.length === 0) return [`${paint.accent('▶')} ${named(title)}`];
  return activities.map((activity) => {
    const { progress } = activity;
    const meter = progress && progress.total > 0 ? ` ${paint.accent(bar(progress.done / progress.total, 16))}` : '';
    const retry = retryWords(activity);
    const waits = activity.running ? '' : paint.unsure(' waiting for a worker');
    return `${paint.accent('▶')} ${named(title)} ${activityName(activity.type)}${meter} ${progressWords(activity)}${waits}${retry === '' ? '' : ` ${paint.unsure(retry)}`}`.trimEnd();
  });
}

function earlyResult(part: Part, state: ProgrammeState): string | null {
  if (part === 'data' && state.data)
    return `${count(state.data.train.rows)} training, ${count(state.data.evaluation.rows)} held-out questions`;
  if (part === 'drafts' && state.drafts) {
    const { trainReport } = state.drafts;
    return `${share(trainReport.correct, trainReport.n)} right, ${share(trainReport.truncated, trainReport.n)} truncated`;
  }
  if (part === 'teacher' && state.teacher) {
    const { report, name } = state.teacher;
    return `${share(report.byClass.valid, report.n)} agree with the truth · ${oneLine(name, 40)}`;
  }
  return null;
}

function gateLine({ gates }: Snapshot, paint: Paint): string {
  const { open, waitingSince } = gates;
  const since = waitingSince === null ? '' : ` since ${waitingSince.slice(11, 16)} UTC`;
  return paint.unsure(
    `‖ Gate ${open?.gate ?? ''} waits for a decision${since}; recommended: ${open?.recommendation.choice ?? ''}`,
  );
}
