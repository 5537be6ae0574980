import { expect, it } from 'vitest';
import { lastEpoch } from '../../activities/ablation/compare-arms.ts';

const step = (number: number, epoch: number, margin?: number, chosenRatio?: number) => ({
  ...{ event: 'step', step: number, epoch },
  ...(margin !== undefined && { margin }),
  ...(chosenRatio !== undefined && { chosenRatio }),
});

it('means over the last epoch; a step that was redone counts once, as it came last', () => {
  const rows = [
    step(1, 0.5, 9, 9),
    step(2, 1, 9, 9),
    step(3, 1.5, 7, 7),
    { event: 'eval', step: 3, epoch: 1.5 },
    step(3, 1.5, 1, -1),
    step(4, 2, 2, -2),
  ];
  expect(lastEpoch(rows)).toEqual({ margin: 1.5, chosenRatio: -1.5 });
});

it('a smaller last step weighs less', () => {
  const last = { ...step(2, 1, 4, 4), pairs: 2 };
  expect(lastEpoch([{ ...step(1, 0.5, 1, 1), pairs: 16 }, last])).toEqual({ margin: 24 / 18, chosenRatio: 24 / 18 });
});

it('metrics of an older trainer lack the change of the chosen log-prob', () => {
  expect(lastEpoch([step(1, 1, 0.25)])).toEqual({ margin: 0.25, chosenRatio: null });
  expect(lastEpoch([])).toEqual({ margin: null, chosenRatio: null });
});
