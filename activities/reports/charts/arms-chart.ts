import type { Draw } from './render.ts';

/** A number with its interval, in the unit of the axis; `text` stands beside it. */
export type IntervalRow = { label: string; estimate: number; low: number; high: number; text: string; colour: string };

/** Intervals under their names, one below the other; `line` is what they are seen against. */
export function intervalsChart(rows: IntervalRow[], title: string, line: number): Draw {
  const y = { field: 'label', type: 'nominal', sort: null, axis: null } as const;
  const axis = { title, tickCount: 6, grid: true } as const;
  const x = { field: 'estimate', type: 'quantitative', scale: { zero: false, nice: true }, axis } as const;
  const color = { field: 'colour', type: 'nominal', scale: null } as const;
  return (width) => ({
    width,
    height: 50 * rows.length,
    data: { values: rows },
    layer: [
      {
        data: { values: [{ line }] },
        mark: { type: 'rule', color: 'var(--ink)', strokeDash: [4, 4], strokeWidth: 1.2 },
        encoding: { x: { field: 'line', type: 'quantitative' } },
      },
      // The names stand above their lines: an axis of long words would leave a telephone no room for the plot.
      {
        mark: { type: 'text', align: 'left', baseline: 'middle', dy: -13, fontSize: 12, color: 'var(--ink)' },
        encoding: { y, x: { value: 0 }, text: { field: 'label' } },
      },
      {
        mark: { type: 'text', align: 'right', baseline: 'middle', dy: -13, fontSize: 12, color: 'var(--soft)' },
        encoding: { y, x: { value: 'width' }, text: { field: 'text' } },
      },
      {
        mark: { type: 'rule', strokeWidth: 2.5, strokeCap: 'round', yOffset: 5 },
        encoding: { y, x: { ...x, field: 'low' }, x2: { field: 'high' }, color },
      },
      { mark: { type: 'point', filled: true, size: 80, opacity: 1, yOffset: 5 }, encoding: { y, x, color } },
    ],
  });
}
