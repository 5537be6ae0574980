import { randomUUID } from 'node:crypto';
import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import { z } from 'zod';
import type { BudgetNews, BudgetRoom, Cost } from '../../domain/budget.ts';
import type { TrainerProgress } from '../contract.ts';
import { failure } from '../failure.ts';
import type { Store } from '../store/store.ts';
import { createLedger } from './ledger.ts';
import type { Ledger } from './ledger.ts';
import { openWasted } from './wasted-answers.ts';
import type { WastedAnswers } from './wasted-answers.ts';

/** The money of one stage of calls, over all of its tries. */
export type Books = {
  ledger: Ledger;
  /** A call broke off and may have cost this much. */
  unanswered: (usd: number) => void;
  /** For heartbeats. */
  money: () => Pick<TrainerProgress, 'spentUsd' | 'unansweredUsd'>;
  /** What the stage has cost so far. */
  paidUsd: () => number;
  /** Keeps for the next try what calls without an answer may have cost; nothing else of it would remember. */
  keep: () => Promise<void>;
};

const Unanswered = z.object({ usd: z.number().min(0) });
const keyOf = (folder: string): string => `${folder}/unanswered.json`;

/** What is known of earlier tries of a stage. */
export type Before = {
  /** There were none: the stage itself has paid for nothing yet. */
  fresh: boolean;
  /**
   * What calls of earlier tries that were never answered may have cost: as the try wrote it down, or, where it was killed,
   * as its last heartbeat said, with the calls that were in flight.
   */
  unansweredUsd: number;
  /** Answers that were of no use. */
  wasted: WastedAnswers;
};

/** Looks for earlier tries of a stage, and leaves a mark for later ones. @param folder of the stage alone */
export async function lookBack(store: Store, folder: string): Promise<Before> {
  const { info } = Context.current();
  const [isFirst, found, wasted] = await Promise.all([
    store.objects.putIfAbsent(`${folder}/begun.json`, JSON.stringify({ by: randomUUID() })),
    store.getJson(keyOf(folder)),
    openWasted(store, folder),
  ]);
  const heard = (info.heartbeatDetails as TrainerProgress | undefined)?.unansweredUsd ?? 0;
  const unansweredUsd = Math.max(heard, found === null ? 0 : Unanswered.parse(found.value).usd);
  return { fresh: isFirst && info.attempt === 1 && unansweredUsd === 0, unansweredUsd, wasted };
}

/** @param before.answeredUsd what answers of this stage that are stored have cost */
export function openBooks(
  store: Store,
  folder: string,
  { capUsd, spentUsd }: BudgetRoom,
  before: { answeredUsd: number; unansweredUsd: number },
): Books {
  const ledger = createLedger(capUsd, spentUsd + before.answeredUsd + before.unansweredUsd);
  let { unansweredUsd } = before;
  return {
    ledger,
    unanswered: (usd) => {
      unansweredUsd += usd;
    },
    money: () => ({ spentUsd: ledger.spentUsd, unansweredUsd: unansweredUsd + ledger.reservedUsd }),
    paidUsd: () => ledger.spentUsd - spentUsd,
    keep: async () => {
      if (unansweredUsd === 0) return;
      await store.putJson(keyOf(folder), { usd: unansweredUsd }).catch((error: unknown) => {
        Context.current().log.warn('what unanswered calls may cost is not kept', { reason: String(error) });
      });
    },
  };
}

/** A failure that says what the stage has cost, for whoever goes on without its answers; other errors stay as they are. */
export function withCost(error: unknown, cost: Cost): unknown {
  if (!(error instanceof ApplicationFailure)) return error;
  const [first] = error.details ?? [];
  return ApplicationFailure.fromError(error, { details: [{ ...(first as object | undefined), cost }] });
}

/** The end at the cap, with what the budget gate shows. */
export const atTheCap = ({ message }: Error, news: BudgetNews): Error =>
  failure('BudgetExceeded', message, { details: [{ budget: news }] });
