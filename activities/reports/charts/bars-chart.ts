import { percent } from '../../../domain/figures.ts';
import type { Interval } from '../../../domain/statistics.ts';
import type { Draw } from './render.ts';

export type Bar = Interval & { label: string; colour: string };

/** Shares as bars from 0 with their intervals, and lines across at what they are held against. */
export function barsChart(bars: Bar[], references: number[]): Draw {
  const values = bars.map((bar) => ({ ...bar, text: percent(bar.estimate), zero: 0 }));
  const top = Math.max(...bars.map(({ high }) => high), ...references);
  const scale = { domain: [0, Math.min(1, Math.ceil(top * 10 + 0.5) / 10)], nice: false };
  const y = { field: 'label', type: 'nominal', sort: null, axis: null } as const;
  const axis = { title: null, format: '.0%', tickCount: 6, grid: true } as const;
  const x = { field: 'estimate', type: 'quantitative', scale, axis } as const;
  const color = { field: 'colour', type: 'nominal', scale: null } as const;
  return (width) => ({
    width,
    height: 50 * values.length + (references.length > 0 ? 16 : 0),
    data: { values },
    layer: [
      // The names stand above their bars: an axis of long words would leave a telephone no room for the plot.
      {
        mark: { type: 'text', align: 'left', baseline: 'middle', dy: -15, fontSize: 12, color: 'var(--ink)' },
        encoding: { y, x: { value: 0 }, text: { field: 'label' } },
      },
      {
        mark: { type: 'bar', height: 14, yOffset: 4, opacity: 0.35, cornerRadiusEnd: 2 },
        encoding: { y, x: { ...x, field: 'zero' }, x2: { field: 'estimate' }, color },
      },
      {
        mark: { type: 'rule', strokeWidth: 2.5, strokeCap: 'round', yOffset: 4 },
        encoding: { y, x: { ...x, field: 'low' }, x2: { field: 'high' }, color },
      },
      { mark: { type: 'point', filled: true, size: 70, opacity: 1, yOffset: 4 }, encoding: { y, x, color } },
      {
        mark: { type: 'text', align: 'right', baseline: 'middle', dy: -15, fontSize: 12, fontWeight: 600 },
        encoding: { y, x: { value: 'width' }, text: { field: 'text' }, color: { value: 'var(--ink)' } },
      },
      ...references.map((share) => ({
        data: { values: [{ share }] },
        mark: { type: 'rule' as const, strokeDash: [4, 4], color: 'var(--soft)' },
        encoding: { x: { ...x, field: 'share' } },
      })),
    ],
  });
}
