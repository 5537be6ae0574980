import { attemptName } from '../../../domain/attempt-name.ts';
import { percent } from '../../../domain/figures.ts';
import type { GateName, RoundName } from '../../../domain/gate-types.ts';
import type { AccuracyRow, ReportData } from '../report-data.ts';
import type { Draw } from './render.ts';

const outcomeColours: Record<AccuracyRow['outcome'], string> = {
  base: 'var(--soft)',
  promoted: 'var(--pass)',
  'promoted-by-override': 'var(--unsure)',
  rejected: 'var(--fail)',
  pending: 'var(--accent)',
};

/** Name of a row on the axis: `Base`, else as domain/attempt-name.ts. */
export const attemptLabel = (phase: GateName | null, attempt: number, round?: RoundName): string =>
  phase === null ? 'Base' : attemptName(phase, attempt, round);

/** Accuracy of each attempt with its 95 % interval, against the majority share. */
export function accuracyChart(rows: AccuracyRow[], majority: ReportData['majority']): Draw {
  const values = rows.map((row) => ({
    label: attemptLabel(row.phase, row.attempt, row.round),
    estimate: row.accuracy.estimate,
    low: row.accuracy.low,
    high: row.accuracy.high,
    text: percent(row.accuracy.estimate),
    colour: outcomeColours[row.outcome],
  }));
  const lows = [...values.map((value) => value.low), ...(majority === null ? [] : [majority])];
  const highs = [...values.map((value) => value.high), majority ?? 0];
  const twentieths = (value: number, round: (x: number) => number) => Math.min(1, Math.max(0, round(value * 20) / 20));
  const domain = [twentieths(Math.min(...lows) - 0.03, Math.floor), twentieths(Math.max(...highs) + 0.02, Math.ceil)];
  const x = {
    field: 'label',
    type: 'nominal',
    sort: null,
    axis: { title: null, labelAngle: 0, labelFontSize: 12, labelColor: 'var(--ink)' },
  } as const;
  const scale = { domain, zero: false, nice: false };
  const y = {
    field: 'estimate',
    type: 'quantitative',
    scale,
    axis: { title: null, format: '.0%', tickCount: 5 },
  } as const;
  const colour = { field: 'colour', type: 'nominal', scale: null } as const;
  return (width) => ({
    width,
    height: width < 500 ? 240 : 280,
    data: { values },
    layer: [
      ...(majority === null ? [] : majorityRule(majority, scale, width < 500)),
      {
        mark: { type: 'rule', strokeWidth: 2, strokeCap: 'round' },
        encoding: { x, y: { ...y, field: 'low' }, y2: { field: 'high' }, color: colour },
      },
      { mark: { type: 'point', filled: true, size: 90, opacity: 1 }, encoding: { x, y, color: colour } },
      {
        mark: {
          type: 'text',
          dx: width < 500 ? 6 : 10,
          align: 'left',
          baseline: 'middle',
          fontSize: width < 500 ? 11 : 13,
          fontWeight: 600,
        },
        encoding: { x, y, text: { field: 'text' }, color: { value: 'var(--ink)' } },
      },
    ],
  });
}

function majorityRule(majority: number, scale: { domain: number[]; zero: boolean; nice: boolean }, narrow: boolean) {
  const data = {
    values: [{ majority, text: `${narrow ? 'majority' : 'always the commoner answer:'} ${percent(majority)}` }],
  };
  const y = { field: 'majority', type: 'quantitative', scale } as const;
  return [
    { data, mark: { type: 'rule' as const, strokeDash: [4, 4], color: 'var(--soft)' }, encoding: { y } },
    {
      data,
      mark: {
        type: 'text' as const,
        align: 'right' as const,
        baseline: 'bottom' as const,
        dy: -4,
        fontSize: 11,
        color: 'var(--soft)',
      },
      encoding: { y, x: { value: 'width' as const }, text: { field: 'text' } },
    },
  ];
}
