import { renderReport } from '../../../activities/reports/create-report-activities.ts';
import type { ReportData } from '../../../activities/reports/report-data.ts';
import type { FixtureRun } from './reference-run.ts';

/** When the reports of the tests are written. */
export const now = new Date('2026-03-02T19:30:00Z');

/** A report as tests read it: the page, its words, its data. */
export async function render({ state, rows }: Pick<FixtureRun, 'state' | 'rows'>) {
  const { html: page, json } = await renderReport(state, rows, now);
  return {
    page,
    data: JSON.parse(json) as ReportData,
    words: page
      .replace(/<style>[\s\S]*?<\/style>/u, '')
      .replace(/<[^>]*>/gu, ' ')
      .replace(/\s+/gu, ' '),
  };
}
