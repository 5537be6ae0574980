import { describe, expect, test } from 'vitest';
import { ledgerOf, lossesOf, runLedger } from '../../domain/ledger.ts';
import type { AttemptTimes } from '../../domain/ledger.ts';

/** Seconds, for reading; the attempts take milliseconds. */
const attempt = (epoch: number, times: { [Name in keyof AttemptTimes]?: AttemptTimes[Name] }): AttemptTimes => {
  const ms = (seconds: number | null | undefined) => (seconds == null ? null : seconds * 1000);
  return {
    ...{ epoch, resumed: times.resumed ?? null, reached: times.reached ?? 0, ended: times.ended ?? null },
    ...{ startedAt: ms(times.startedAt), firstStepAt: ms(times.firstStepAt) },
    ...{ lastStepAt: ms(times.lastStepAt), aliveAt: ms(times.aliveAt) },
  };
};
/** Two seconds a step: steps 1 to 21 from second 10 to 50. */
const first = attempt(1, { resumed: 0, reached: 21, startedAt: 0, firstStepAt: 10, lastStepAt: 50, aliveAt: 51 });

describe('losses', () => {
  test('none before the first attempt', () => {
    expect(lossesOf([first], 1)).toEqual([]);
  });

  test('from the last sign of life to the first step after it; redone work at the pace of the lost attempt', () => {
    const second = attempt(2, { resumed: 15, reached: 40, startedAt: 60, firstStepAt: 63, lastStepAt: 120 });
    expect(lossesOf([second, first], 2)).toEqual([
      { epoch: 1, kind: 'host-lost', secondsToNextStep: 12, stepsRedone: 6, secondsRedoing: 12, gpus: 1 },
    ]);
  });

  test('an attempt lost before its first step passes the rest of the waiting on to its own loss', () => {
    const second = attempt(2, { startedAt: 60, aliveAt: 70, ended: 'infrastructure' });
    const third = attempt(3, { resumed: 15, reached: 40, startedAt: 80, firstStepAt: 90, lastStepAt: 120 });
    const losses = lossesOf([first, second, third], 3);
    expect(losses.map(({ kind, secondsToNextStep }) => [kind, secondsToNextStep])).toEqual([
      ['host-lost', 19],
      ['infrastructure', 20],
    ]);
    // The steps were lost once, with the attempt that had done them.
    expect(losses.map(({ stepsRedone }) => stepsRedone)).toEqual([6, 0]);
  });

  test('a sleeper that shows life again was lost when its successor began', () => {
    const sleeper = { ...first, aliveAt: 3_600_000, ended: 'lease-lost' as const };
    const second = attempt(2, { resumed: 20, reached: 40, startedAt: 60, firstStepAt: 63 });
    expect(lossesOf([sleeper, second], 2)[0]).toMatchObject({ kind: 'lease-lost', secondsToNextStep: 3 });
  });

  test('an attempt that ended at the cap of the run is no loss, however long the gate was open', () => {
    const capped = { ...first, ended: 'budget' as const };
    const second = attempt(2, { resumed: 21, startedAt: 86_400, firstStepAt: 86_410, aliveAt: 86_420 });
    const third = attempt(3, { resumed: 21, startedAt: 86_430, firstStepAt: 86_440 });
    expect(lossesOf([capped, second], 2)).toEqual([]);
    expect(lossesOf([capped, second, third], 3)).toMatchObject([{ epoch: 2, secondsToNextStep: 20 }]);
  });

  test('a hanging trainer was lost at its last step, however long it seemed alive', () => {
    const hanging = { ...first, aliveAt: 950_000, ended: 'stalled' as const };
    const second = attempt(2, { resumed: 20, reached: 40, startedAt: 960, firstStepAt: 963 });
    expect(lossesOf([hanging, second], 2)[0]).toMatchObject({ kind: 'stalled', secondsToNextStep: 913 });
  });

  test('what nobody wrote down is unknown, not zero and not invented', () => {
    const second = attempt(2, { resumed: 15, reached: 15, startedAt: 60, aliveAt: 61 });
    expect(lossesOf([second], 2)).toEqual([
      { epoch: 1, kind: 'host-lost', secondsToNextStep: null, stepsRedone: 0, secondsRedoing: 0, gpus: 1 },
    ]);
    // The second attempt is still loading: the loss counts, its waiting is not over.
    expect(lossesOf([first, second], 2)).toMatchObject([
      { secondsToNextStep: null, stepsRedone: 6, secondsRedoing: 12, gpus: 1 },
    ]);
    // One step has no pace; the successor's is taken.
    const single = attempt(1, { resumed: 0, reached: 1, startedAt: 0, firstStepAt: 5, lastStepAt: 5, aliveAt: 6 });
    const paced = attempt(2, { resumed: 0, reached: 11, startedAt: 10, firstStepAt: 12, lastStepAt: 42 });
    expect(lossesOf([single, paced], 2)[0]).toMatchObject({ stepsRedone: 1, secondsRedoing: 3 });
  });

  test('a checkpoint newer than the last word of a lost attempt redoes nothing', () => {
    const second = attempt(2, { resumed: 25, reached: 30, startedAt: 60, firstStepAt: 63 });
    expect(lossesOf([first, second], 2)[0]?.stepsRedone).toBe(0);
  });
});

describe('sums', () => {
  const loss = { epoch: 1, secondsToNextStep: 30, stepsRedone: 5, secondsRedoing: 10, gpus: 1 };
  const ledger = ledgerOf([
    { ...loss, kind: 'host-lost' },
    { ...loss, kind: 'notice', stepsRedone: 0, secondsRedoing: 0, gpus: 2 },
    { ...loss, kind: 'out-of-memory', secondsToNextStep: null },
  ]);

  test('of a training: preemptions apart from what somebody can do something about', () => {
    expect(ledger).toEqual({
      lost: 3,
      byKind: { notice: 1, 'host-lost': 1, 'out-of-memory': 1 },
      ...{ preemptions: 2, stepsRedone: 10, secondsToNextStep: 60, gpuSecondsLost: 110 },
    });
  });

  test('of a run: finished phases, older ones without a ledger, and what trains now, in dollars', () => {
    const finished = [
      { losses: 3, stepsRedone: 10, ledger },
      { losses: 1, stepsRedone: 4 },
    ];
    expect(runLedger(finished, [ledger], 3.6)).toEqual({
      lost: 7,
      byKind: { notice: 2, 'host-lost': 2, 'out-of-memory': 2 },
      ...{ preemptions: 4, stepsRedone: 24, secondsToNextStep: 120, gpuSecondsLost: 220 },
      usdLost: 0.22,
    });
  });
});
