import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ProgrammeState } from '../../domain/programme.ts';
import type { OrchestratorActivities } from '../contract.ts';
import { runFolder } from '../scope.ts';
import type { Store } from '../store/store.ts';
import type { ArtefactRows } from './artefact-rows.ts';
import { collectAblation } from './ablation/collect-ablation.ts';
import { collectReport } from './collect-report.ts';

/** What the report needs from the outside. */
export type ReportDeps = {
  store: Pick<Store, 'readRows' | 'putText'>;
  /** RATCHET_HOME; the report also lies under its `reports/<run>/`. */
  home: string;
  now: () => Date;
};

/** The report's files as text, without putting them anywhere. */
export async function renderReport(
  state: ProgrammeState,
  rows: ArtefactRows,
  now: Date,
): Promise<{ html: string; json: string }> {
  // Pages are loaded on first use, since they bring the plot library along.
  if (state.ablation) {
    const data = await collectAblation(state, state.ablation, rows, now);
    const { ablationPage } = await import('./ablation/ablation-page.ts');
    return { html: await ablationPage(data), json: asJson(data) };
  }
  const data = await collectReport(state, rows, now);
  const { reportPage } = await import('./page.ts');
  return { html: await reportPage(data), json: asJson(data) };
}

const asJson = (data: unknown): string => `${JSON.stringify(data, null, 2)}\n`;

/** Folder of a run's report on this machine. */
export const reportFolder = (home: string, run: string): string =>
  join(home, 'reports', run.replaceAll(/[^\w.-]/gu, '_'));

/**
 * `writeReport`: may run at any point of a programme and any number of times; a later report replaces the earlier one.
 *
 * @returns where the files lie; `path` is report.html on the worker's own disk
 */
export function createReportActivities(deps: ReportDeps): Pick<OrchestratorActivities, 'writeReport'> {
  return {
    async writeReport({ state }) {
      const prefix = runFolder(state.run);
      const { html, json } = await renderReport(state, deps.store.readRows, deps.now());
      const folder = reportFolder(deps.home, state.run);
      await mkdir(folder, { recursive: true });
      await writeWhole(join(folder, 'report.json'), json);
      const path = join(folder, 'report.html');
      await writeWhole(path, html);
      return {
        html: await deps.store.putText(`${prefix}/report.html`, html, 'text/html; charset=utf-8'),
        json: await deps.store.putText(`${prefix}/report.json`, json, 'application/json'),
        path,
      };
    },
  };
}

/** Under another name first, so that a reader never sees half a file. */
async function writeWhole(path: string, text: string): Promise<void> {
  const partial = `${path}.partial-${String(process.pid)}`;
  await writeFile(partial, text);
  await rename(partial, path);
}
