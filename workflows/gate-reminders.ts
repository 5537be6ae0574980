import { condition, log, workflowInfo } from '@temporalio/workflow';
import type { Recipe } from '../config/recipe.ts';
import type { BudgetState } from '../domain/budget.ts';
import type { GateNotice } from '../domain/gate-notice.ts';
import type { GateEvidence } from '../domain/gate-types.ts';
import { rootMessage } from './failure.ts';
import { notifications } from './tasks.ts';

type Gates = Pick<Recipe['gates'], 'timing' | 'webhook'>;

/**
 * Returns when `decided` holds or the deadline has passed; without a deadline it waits for ever. Waiting costs one timer.
 * Reminders go to the log and to the recipe's webhook, at intervals that double.
 *
 * @param opened `again` where people were told of the gate before
 */
export async function waitWithReminders(
  decided: () => boolean,
  evidence: GateEvidence,
  waitingSince: string,
  { timing, webhook }: Gates,
  opened: 'now' | 'again' = 'now',
): Promise<void> {
  const tell = (kind: GateNotice['kind'], reminder: number): void => {
    if (webhook) post(webhook, noticeOf(evidence, waitingSince, kind, reminder));
  };
  if (opened === 'now') tell('opened', 0);
  let leftMs = (timing.deadlineMinutes ?? Infinity) * 60_000;
  let remindMs = timing.remindAfterMinutes * 60_000;
  for (let reminder = 1; leftMs > 0; reminder += 1) {
    const waitMs = Math.min(leftMs, remindMs);
    if (await condition(decided, waitMs)) return;
    leftMs -= waitMs;
    remindMs *= 2;
    const { gate, attempt, options } = evidence;
    log.warn('a gate waits for a decision', { gate, attempt, options });
    const escalates = webhook !== undefined && reminder > webhook.escalateAfterReminders;
    tell(leftMs <= 0 ? 'deadline' : escalates ? 'escalation' : 'reminder', reminder);
  }
}

function noticeOf(
  { gate, attempt, verdict, digest, options, recommendation, budget }: GateEvidence,
  waitingSince: string,
  kind: GateNotice['kind'],
  reminder: number,
): GateNotice {
  const { workflowId: run } = workflowInfo();
  const recommended = recommendation.choice;
  const money = budget && { budget: { spentUsd: budget.spentUsd, capUsd: budget.capUsd } };
  return {
    run,
    gate,
    attempt,
    verdict,
    evidence: digest,
    options,
    recommended,
    waitingSince,
    reminder,
    kind,
    ...money,
  };
}

/** The budget's warning, where a gate's notices go. Nothing waits for it. */
export function tellWarning(
  webhook: NonNullable<Gates['webhook']>,
  { at, spentUsd, capUsd }: BudgetState['warnings'][number],
  number: number,
): void {
  const { workflowId: run } = workflowInfo();
  post(webhook, {
    ...{ run, gate: 'budget', attempt: number, verdict: 'inconclusive', evidence: '', options: [], recommended: null },
    ...{ waitingSince: at, reminder: 0, kind: 'warning', budget: { spentUsd, capUsd } },
  });
}

/** Behind the gate's back: a receiver that is away costs a line in the log, not the decision. */
function post(webhook: NonNullable<Gates['webhook']>, notice: GateNotice): void {
  const calls = notice.kind === 'escalation' || notice.kind === 'deadline';
  const url = calls ? (webhook.escalationUrl ?? webhook.url) : webhook.url;
  notifications.notifyGate({ url, secretEnv: webhook.secretEnv, notice }).catch((error: unknown) => {
    log.warn('a gate notice was not delivered', { reason: rootMessage(error), notice });
  });
}
