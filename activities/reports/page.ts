import { reportDocument } from './document.ts';
import type { ReportData } from './report-data.ts';
import { costsSection } from './sections/costs.ts';
import { dataSection } from './sections/data.ts';
import { experimentsSection } from './sections/experiments.ts';
import { fixesSection } from './sections/fixes.ts';
import { gatesSection } from './sections/gates.ts';
import { head } from './sections/head.ts';
import { lossesSection } from './sections/losses.ts';
import { questionQualitySection } from './sections/question-quality.ts';
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
  ['question-quality', 'Question quality'],
  ['samples', 'Samples'],
  ['costs', 'Costs'],
  ['recipe', 'Recipe'],
];

/** The report of a programme; see {@link reportDocument}. */
export async function reportPage(data: ReportData): Promise<string> {
  const sections = [
    await accuracySection(data),
    await targetsSection(data),
    gatesSection(data),
    await experimentsSection(data),
    fixesSection(data),
    dataSection(data),
    await trainingSection(data),
    lossesSection(data),
    questionQualitySection(data),
    samplesSection(data),
    costsSection(data),
    recipeSection(data),
  ];
  return reportDocument(data.run, head(data), sections, contents);
}
