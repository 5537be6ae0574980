import { readFile } from 'node:fs/promises';
import { html } from './html.ts';
import type { Html } from './html.ts';
import type { ReportData } from './report-data.ts';
import { costsSection } from './sections/costs.ts';
import { dataSection } from './sections/data.ts';
import { experimentsSection } from './sections/experiments.ts';
import { fixesSection } from './sections/fixes.ts';
import { gatesSection } from './sections/gates.ts';
import { head } from './sections/head.ts';
import { lossesSection } from './sections/losses.ts';
import { recipeSection } from './sections/recipe.ts';
import { accuracySection, targetsSection } from './sections/results.ts';
import { samplesSection } from './sections/samples.ts';
import { trainingSection } from './sections/training.ts';

const contents: [id: string, title: string][] = [
  ['accuracy', 'Accuracy'],
  ['targets', 'Targets'],
  ['gates', 'Gates'],
  ['experiments', 'Experiments'],
  ['fixes', 'Fixes'],
  ['data', 'Data'],
  ['training', 'Training'],
  ['losses', 'Losses'],
  ['samples', 'Samples'],
  ['costs', 'Costs'],
  ['recipe', 'Recipe'],
];

/**
 * The report as one HTML file: style inside, plots as SVG, no script and nothing from elsewhere. The content policy in
 * its head keeps it so even if something got past the escaping.
 */
export async function reportPage(data: ReportData): Promise<string> {
  const style: Html = { markup: await readFile(new URL('report.css', import.meta.url), 'utf8') };
  const sections = [
    await accuracySection(data),
    await targetsSection(data),
    gatesSection(data),
    await experimentsSection(data),
    fixesSection(data),
    dataSection(data),
    await trainingSection(data),
    lossesSection(data),
    samplesSection(data),
    costsSection(data),
    recipeSection(data),
  ];
  const present = contents.filter(([id]) => sections.some(({ markup }) => markup.startsWith(`<section id="${id}"`)));
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta
          http-equiv="Content-Security-Policy"
          content="default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
        />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>${data.run} · ratchet report</title>
        <style>
          ${style}
        </style>
      </head>
      <body>
        <main>
          ${head(data)}
          <nav aria-label="Contents">${present.map(([id, title]) => html`<a href="#${id}">${title}</a>`)}</nav>
          ${sections}
          <footer>Written by ratchet. The same numbers as JSON: report.json beside this file.</footer>
        </main>
      </body>
    </html> `.markup;
}
