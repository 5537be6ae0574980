import { toleranceUsd } from '../../domain/budget.ts';
import { failure } from '../failure.ts';

/**
 * Holds a cap under concurrency: spent + reserved never exceeds it. A call reserves the most that it can cost and
 * settles what it did cost.
 */
export type Ledger = {
  /** Resolves when the amount fits; waits for calls in flight where they may leave room. @throws BudgetExceeded */
  reserve(worstUsd: number): Promise<void>;
  /** Whether the amount would fit now. */
  fits(worstUsd: number): boolean;
  settle(worstUsd: number, paidUsd: number): void;
  readonly spentUsd: number;
  /** Of the calls in flight. */
  readonly reservedUsd: number;
};

/** @param spentUsd what the run has spent before, on anything */
export function createLedger(capUsd: number, spentUsd: number): Ledger {
  let spent = spentUsd;
  let reserved = 0;
  let inFlight = 0;
  let settled = Promise.withResolvers<undefined>();
  const fits = (worstUsd: number): boolean => spent + reserved + worstUsd <= capUsd + toleranceUsd;

  return {
    async reserve(worstUsd) {
      while (!fits(worstUsd)) {
        if (inFlight === 0) {
          throw failure(
            'BudgetExceeded',
            `budget.capUsd: $${spent.toFixed(4)} of $${capUsd.toFixed(4)} are spent, and the next call may cost $${worstUsd.toFixed(4)}. What was answered is kept and is not paid twice. Fix: raise the cap at the budget gate`,
          );
        }
        await settled.promise;
      }
      reserved += worstUsd;
      inFlight += 1;
    },
    fits,
    settle(worstUsd, paidUsd) {
      reserved -= worstUsd;
      inFlight -= 1;
      spent += paidUsd;
      settled.resolve(undefined);
      settled = Promise.withResolvers<undefined>();
    },
    get spentUsd() {
      return spent;
    },
    get reservedUsd() {
      return reserved;
    },
  };
}
