import { html } from '../html.ts';
import type { Html } from '../html.ts';
import { count, duration, usd } from '../quantities.ts';
import type { ReportData } from '../report-data.ts';
import { section, table } from './section.ts';

const hours = (value: number | null) => (value === null ? '–' : duration(value * 3600));

/** Time and money against plan and estimate. */
export function costsSection({ costs, teacher }: ReportData): Html {
  const planned = costs.rows.reduce((sum, { plannedHours }) => sum + (plannedHours ?? 0), 0);
  const time = [
    ...costs.rows.map(({ part, gpuSeconds, plannedHours }) => [
      part,
      duration(gpuSeconds),
      hours(plannedHours),
      usd((gpuSeconds / 3600) * costs.gpuHourUsd),
    ]),
    [html`<strong>Together</strong>`, duration(costs.gpuSeconds), hours(planned), usd(costs.gpuUsd)],
  ];
  const estimate = costs.estimate;
  const total = costs.teacherUsd + costs.judgeUsd + costs.gpuUsd;
  const money = [
    [
      `Teacher${teacher?.simulated ? ' (simulated)' : ''}, ${count(costs.teacherCalls)} calls`,
      usd(costs.teacherUsd),
      estimate ? usd(estimate.teacherUsd) : '–',
      costs.plannedTeacherUsd === null ? '–' : usd(costs.plannedTeacherUsd),
      costs.capUsd === null ? '–' : usd(costs.capUsd),
    ],
    ...(costs.judgeCalls === 0
      ? []
      : [
          [
            `Judge, ${count(costs.judgeCalls)} calls`,
            usd(costs.judgeUsd),
            estimate?.judgeUsd === undefined ? '–' : usd(estimate.judgeUsd),
            '–',
            'within the same',
          ],
        ]),
    [
      `GPU, ${duration(costs.gpuSeconds)}`,
      usd(costs.gpuUsd),
      estimate ? usd(Math.max(0, estimate.totalUsd - estimate.teacherUsd - (estimate.judgeUsd ?? 0))) : '–',
      '–',
      '–',
    ],
    [html`<strong>Together</strong>`, usd(total), estimate ? usd(estimate.totalUsd) : '–', '–', '–'],
  ];
  const numbers = (...titles: string[]) => titles.map((title) => ({ title, number: true }));
  return section(
    'costs',
    'Time and cost against the plan',
    `${duration(costs.elapsedSeconds)} from start to end, time at gates included.`,
    html`${table([{ title: 'device time' }, ...numbers('used', 'planned', `at ${usd(costs.gpuHourUsd)} an hour`)], time, 'Device time against the plan')}
    ${table([{ title: 'money' }, ...numbers('spent', 'estimated before', 'planned', 'cap')], money, 'Money against estimate and plan')}`,
  );
}
