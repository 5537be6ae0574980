import type { CurvePoint, TrainingCurve } from '../training-curve.ts';
import type { Draw } from './render.ts';

/** A line of a plot and the words that name it. */
export type Series = { name: string; colour: string; dash?: number[]; points: { step: number; value: number }[] };

export const seriesColours = ['var(--series-1)', 'var(--series-2)', 'var(--series-3)', 'var(--series-4)'] as const;

/** Values of one field over the steps that have it. */
export function fieldOf(curve: TrainingCurve, field: Exclude<keyof CurvePoint, 'step' | 'steps'>): Series['points'] {
  return curve.points.flatMap((point) => {
    const value = point[field];
    return value === undefined ? [] : [{ step: point.step, value }];
  });
}

const stepAxis = {
  field: 'step',
  type: 'quantitative',
  scale: { nice: false, zero: false },
  axis: { title: 'optimizer step', tickCount: 6, format: ',d', tickMinStep: 1 },
} as const;

/** Lines over optimizer steps. The legend is the caller's, in HTML, where it wraps and can be read aloud. */
export function linesChart(
  series: Series[],
  title: string,
  options: { reference?: number; format?: string; height?: number } = {},
): Draw {
  const values = series.flatMap((line, index) =>
    line.points.map((point) => ({ ...point, index, colour: line.colour, dash: line.dash ?? [1, 0] })),
  );
  const few = series.every((line) => line.points.length <= 2);
  const y = {
    field: 'value',
    type: 'quantitative',
    scale: { zero: false, nice: true },
    axis: {
      title,
      titleAnchor: 'end',
      titleAngle: 0,
      titleAlign: 'left',
      titleBaseline: 'bottom',
      titleY: -14,
      titleX: -30,
      tickCount: 4,
      ...(options.format ? { format: options.format } : {}),
    },
  } as const;
  return (width) => ({
    width,
    height: options.height ?? 200,
    padding: { top: 8, left: 4, right: 8, bottom: 4 },
    layer: [
      ...(options.reference === undefined
        ? []
        : [
            {
              data: { values: [{ value: options.reference }] },
              mark: { type: 'rule' as const, strokeDash: [4, 4], color: 'var(--line-strong)' },
              encoding: { y },
            },
          ]),
      {
        data: { values },
        mark: {
          type: 'line' as const,
          strokeWidth: 1.8,
          strokeJoin: 'round' as const,
          ...(few ? { point: { filled: true, size: 40 } } : {}),
        },
        encoding: {
          x: stepAxis,
          y,
          detail: { field: 'index', type: 'nominal' },
          color: { field: 'colour', type: 'nominal', scale: null },
          strokeDash: { field: 'dash', type: 'nominal', scale: null },
        },
      },
    ],
  });
}
