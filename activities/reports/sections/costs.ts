import { html } from '../html.ts';
import type { Html } from '../html.ts';
import { count, duration, significant, usd } from '../quantities.ts';
import type { Costs, ReportData } from '../report-data.ts';
import { section, table } from './section.ts';

const hours = (value: number | null) => (value === null ? '–' : duration(value * 3600));

type Money = {
  spent: number;
  estimated?: number | null | undefined;
  planned?: number | null | undefined;
  cap?: number | null | undefined;
};

const orDash = (amount: number | null | undefined) => (amount == null ? '–' : usd(amount));

/** `0.61 ×`: what was spent of what was estimated. */
const ratio = (spent: number, estimated: number | null | undefined) =>
  estimated ? `${significant(spent / estimated, 2)} ×` : '–';

const moneyRow = (part: Html | string, { spent, estimated, planned, cap }: Money) => [
  ...[part, usd(spent), orDash(estimated), ratio(spent, estimated), orDash(planned), orDash(cap)],
];

/** How the cap came to be what it is, and of which date the prices are. */
function moneyNotes({ capUsd, recipeCapUsd, warnings, estimate }: Costs): string[] {
  const raised = capUsd !== null && recipeCapUsd !== null && capUsd > recipeCapUsd;
  return [
    ...(raised ? [`The cap was raised from ${usd(recipeCapUsd)} to ${usd(capUsd)}; see the budget gate.`] : []),
    ...warnings.map((warning) => `${warning.charAt(0).toUpperCase()}${warning.slice(1)}.`),
    ...(estimate?.pricesDate ? [`Prices of ${estimate.pricesDate}.`] : []),
  ];
}

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
  const { estimate, gpuHourUsd } = costs;
  const total = costs.teacherUsd + costs.judgeUsd + costs.gpuUsd;
  const estimatedGpuUsd = estimate ? estimate.gpuHours * gpuHourUsd : null;
  const money = [
    moneyRow(`Teacher${teacher?.simulated ? ' (simulated)' : ''}, ${count(costs.teacherCalls)} calls`, {
      ...{ spent: costs.teacherUsd, estimated: estimate?.teacherUsd, planned: costs.plannedTeacherUsd },
    }),
    ...(costs.judgeCalls === 0 && !estimate?.judgeUsd
      ? []
      : [
          moneyRow(`Judge, ${count(costs.judgeCalls)} calls`, {
            ...{ spent: costs.judgeUsd, estimated: estimate?.judgeUsd },
          }),
        ]),
    moneyRow(`GPU, ${duration(costs.gpuSeconds)}`, { spent: costs.gpuUsd, estimated: estimatedGpuUsd }),
    moneyRow(html`<strong>Together</strong>`, { spent: total, estimated: estimate?.totalUsd, cap: costs.capUsd }),
  ];
  const hoursRow = [
    'GPU-hours',
    significant(costs.gpuSeconds / 3600, 3),
    estimate ? significant(estimate.gpuHours, 3) : '–',
    ratio(costs.gpuSeconds / 3600, estimate?.gpuHours),
    ...['–', '–'],
  ];
  const numbers = (...titles: string[]) => titles.map((title) => ({ title, number: true }));
  return section(
    'costs',
    'Time and cost against the plan',
    [`${duration(costs.elapsedSeconds)} from start to end, time at gates included.`, ...moneyNotes(costs)].join(' '),
    html`${table([{ title: 'device time' }, ...numbers('used', 'planned', `at ${usd(costs.gpuHourUsd)} an hour`)], time, 'Device time against the plan')}
    ${table([{ title: 'money' }, ...numbers('spent', 'estimated before', 'of the estimate', 'planned', 'cap')], [...money, hoursRow], 'Money against estimate and plan')}`,
  );
}
