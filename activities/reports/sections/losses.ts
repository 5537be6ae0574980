import { attemptLabel } from '../charts/accuracy-chart.ts';
import { html } from '../html.ts';
import type { Html } from '../html.ts';
import { kindWords } from '../loss-words.ts';
import { count, duration, usd } from '../quantities.ts';
import type { LossRow, ReportData } from '../report-data.ts';
import { section, table } from './section.ts';

const titles = ['times cut off', 'preempted', 'steps redone', 'to new steps', 'device time lost', 'lost'];

/** What interruptions cost; nothing where there were none. */
export function lossesSection({ losses, costs }: ReportData): Html {
  if (losses.run.lost === 0) return html``;
  const cells = (ledger: LossRow['ledger']) => [
    kindWords(ledger) || '–',
    count(ledger.lost),
    count(ledger.preemptions),
    count(ledger.stepsRedone),
    duration(ledger.secondsToNextStep),
    duration(ledger.gpuSecondsLost),
    usd(ledger.usdLost),
  ];
  const rows = [
    ...losses.phases.map(({ phase, attempt, round, ledger }) => [
      attemptLabel(phase, attempt, round),
      ...cells(ledger),
    ]),
    [html`<strong>Together</strong>`, ...cells(losses.run)],
  ];
  const numbers = titles.map((title) => ({ title, number: true }));
  return section(
    'losses',
    'Losses',
    `What was cut off went on from its newest whole checkpoint. To new steps: from each loss to the next step of anybody. Device time lost: that waiting and the redone work, at ${usd(costs.gpuHourUsd)} an hour.`,
    table([{ title: 'phase' }, { title: 'why' }, ...numbers], rows, 'What losses cost'),
  );
}
