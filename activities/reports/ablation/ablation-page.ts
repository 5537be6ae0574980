import { html } from '../html.ts';
import type { Html } from '../html.ts';
import { duration, instant, usd } from '../quantities.ts';
import { reportDocument } from '../document.ts';
import { armsSection, comparedSection, curvesSection } from './ablation-sections.ts';
import type { AblationReport } from './collect-ablation.ts';

/** The report of an ablation as one HTML file, as `reportPage` is. */
export async function ablationPage(data: AblationReport): Promise<string> {
  const sections = [await comparedSection(data), armsSection(data), await curvesSection(data)];
  return reportDocument(data.run, head(data), sections, [
    ['compared', 'Compared'],
    ['arms', 'Arms'],
    ['curves', 'Training'],
  ]);
}

function head(data: AblationReport): Html {
  const { table, reference, from, spent } = data;
  const start = reference && `Phase ${reference.phase}, attempt ${reference.attempt}`;
  return html`<header class="top">
    <p class="kicker">ratchet ablation · ${data.recipeName}</p>
    <h1>${data.run}</h1>
    ${data.description === '' ? null : html`<p class="description">${data.description}</p>`}
    <p class="outcome">
      <span class="badge ${data.stage === 'done' ? 'pass' : 'unsure'}"
        >${data.stage === 'done' ? 'finished' : data.stage}</span
      >
      ${data.arms.length} of ${data.planned.length}
      trainings${start === null ? '' : `, all from the adapter of ${start}`}
    </p>
    ${table === null ? html`<p class="conclusion">${data.conclusion}</p>` : table.findings.map((text) => html`<p class="conclusion">${text}</p>`)}
    ${
      data.simulatedTeacher === null
        ? null
        : html`<p class="warning simulated">
            <strong>The teacher was simulated.</strong> “${data.simulatedTeacher}” answers from the data's own facts
            with a set error rate. Nothing here says how a real teacher model would have done.
          </p>`
    }
    <p class="facts">
      Base <code>${data.base}</code> · data <code>${data.dataSource}</code> · started ${instant(data.startedAt)}
      ${data.finishedAt === null ? null : html` · ended ${instant(data.finishedAt)}`}
      ${from ? html` · from <code>${from.run}</code>` : null} · ${duration(spent.gpuSeconds)} on the training device,
      ${usd(spent.teacherUsd)} for ${spent.teacherCalls} teacher calls
    </p>
  </header>`;
}
