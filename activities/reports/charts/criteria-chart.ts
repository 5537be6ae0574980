import type { CriterionVerdict } from '../../../domain/gate-types.ts';
import { points, percent } from '../../../domain/figures.ts';
import { isGain } from '../../../domain/gate-verdict.ts';
import type { Draw } from './render.ts';

const colours = { pass: 'var(--pass)', fail: 'var(--fail)', inconclusive: 'var(--unsure)' } as const;

export type CriterionRow = { label: string; criterion: CriterionVerdict };

const against = {
  majority: 'the commoner answer',
  phaseA: 'Phase A',
  phaseB: 'Phase B',
  phaseC: 'the round before',
  'full-draft': 'own drafts',
  'no-draft': 'no drafts',
} as const;
const names = {
  accuracy: 'accuracy',
  'ablation-gain': 'gain by the draft',
  attribution: 'attribution on the draft',
  parsable: 'parsable answers',
  'question-quality': 'wins minus losses of the questions',
} as const;

/** What a criterion measures, in words: `gain over Phase A`. */
export function criterionName({ metric, over }: CriterionVerdict['criterion']): string {
  if (metric === 'gain') return `gain over ${against[over ?? 'phaseA']}`;
  if (metric === 'shuffle-drop') return `drop by shuffled drafts from ${against[over ?? 'full-draft']}`;
  return names[metric];
}

/** A share or a gain, as the metric calls for. */
export const criterionNumber = ({ metric }: CriterionVerdict['criterion'], value: number): string =>
  isGain(metric) ? points(value) : percent(value);

/**
 * How far each result lies from what was asked: zero is the threshold, right of it is better. Different criteria share
 * one axis that way, and an interval that crosses zero is what inconclusive looks like.
 */
export function criteriaChart(rows: CriterionRow[]): Draw {
  // What was not measured has no place on the axis; its row is in the table.
  const measured = rows.filter(({ criterion }) => criterion.n > 0);
  const values = measured.map(({ label, criterion }) => ({
    label,
    estimate: 100 * (criterion.estimate - criterion.criterion.atLeast),
    low: 100 * (criterion.low - criterion.criterion.atLeast),
    high: 100 * (criterion.high - criterion.criterion.atLeast),
    colour: colours[criterion.verdict],
  }));
  const y = { field: 'label', type: 'nominal', sort: null, axis: null } as const;
  const axis = { title: 'points away from what was asked', tickCount: 6, format: '+d', grid: true } as const;
  const x = { field: 'estimate', type: 'quantitative', scale: { nice: true }, axis } as const;
  const color = { field: 'colour', type: 'nominal', scale: null } as const;
  return (width) => ({
    width,
    height: 44 * values.length,
    data: { values },
    layer: [
      {
        data: { values: [{ zero: 0 }] },
        mark: { type: 'rule', color: 'var(--ink)', strokeWidth: 1.5 },
        encoding: { x: { field: 'zero', type: 'quantitative' } },
      },
      // The names stand above their lines: an axis of long words would leave a telephone no room for the plot.
      {
        mark: { type: 'text', align: 'left', baseline: 'middle', dy: -13, fontSize: 12, color: 'var(--ink)' },
        encoding: { y, x: { value: 0 }, text: { field: 'label' } },
      },
      {
        mark: { type: 'rule', strokeWidth: 2.5, strokeCap: 'round', yOffset: 5 },
        encoding: { y, x: { ...x, field: 'low' }, x2: { field: 'high' }, color },
      },
      { mark: { type: 'point', filled: true, size: 80, opacity: 1, yOffset: 5 }, encoding: { y, x, color } },
    ],
  });
}
