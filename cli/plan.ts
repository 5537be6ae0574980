import { attemptsAsked } from '../domain/teacher-wordings.ts';
import { duration, count, significant, usd } from '../activities/reports/quantities.ts';
import type { Criterion } from '../config/gates.ts';
import type { Recipe } from '../config/recipe.ts';
import type { LoadedRecipe } from '../config/load-recipe.ts';
import type { CostEstimate } from '../domain/estimate.ts';
import { isGain } from '../domain/gate-verdict.ts';
import { percent, pointsThreshold, threshold } from '../domain/figures.ts';
import { stagesWords } from './ablation-text.ts';
import type { Paint } from './terminal.ts';

function phaseCRows(recipe: Recipe, estimate: CostEstimate): [name: string, text: string][] {
  const { phaseC, gates } = recipe;
  const { rounds, learningRate, stages } = phaseC;
  return [
    ['Phase C', `DPO, ${stagesWords(stages)}; lr ${significant(learningRate)}${experimentWords(phaseC)}`],
    ...judgeWords(recipe, estimate).map((text) => ['  Judge', text] as [string, string]),
    ['  Gate C', criteriaWords(gates.C.criteria)],
    ...(rounds === 1
      ? []
      : [
          ['  Rounds', `at most ${String(rounds)}; later ones ${criteriaWords(gates.laterRounds.criteria)}`] as [
            string,
            string,
          ],
        ]),
  ];
}

/** What a run would do and cost, for `--dry-run`. Pure. */
export function planText(
  { recipe, digest, overridden }: LoadedRecipe,
  estimate: CostEstimate,
  simulated: boolean,
  paint: Paint,
): string[] {
  const { data, model, teacher, phaseA, phaseB, gates, budget } = recipe;
  const row = (name: string, text: string) => `${paint.strong(name.padEnd(9))} ${text}`;
  const { teacherVariants: wordings } = recipe.templates;
  const perQuestion = `${String(attemptsAsked(phaseB))} per question${wordings ? `, ${String(wordings.length)} wordings` : ''}`;
  const evaluated = data.evaluationLimit < 0 ? 'all' : `at most ${count(data.evaluationLimit)}`;
  const teacherName = simulated ? `${teacher.model}, ${paint.unsure('simulated: no key is set')}` : teacher.model;
  return [
    `${paint.strong(recipe.name)}: ${recipe.description}`,
    paint.soft(
      `recipe ${digest.slice(0, 12)}, seed ${String(recipe.seed)}. Dry run: nothing is started, called or spent.`,
    ),
    '',
    row(
      'Model',
      `${model.base}${model.use4bit ? ', 4-bit NF4' : ''}; LoRA r ${String(recipe.lora.r)}, α ${significant(recipe.lora.alpha)}`,
    ),
    row(
      'Data',
      `${data.source}: ${count(data.samples)} training questions, ${percent(data.evaluationShare)} held out, ${evaluated} of them evaluated`,
    ),
    row(
      'Drafts',
      `${count(recipe.drafts.maxNewTokens)} tokens at most, temperature ${significant(recipe.drafts.temperature)}`,
    ),
    row(
      'Teacher',
      `${teacherName}; ${count(estimate.teacherCalls)} calls (${perQuestion}), ${count(teacher.maxTokens)} tokens at most`,
    ),
    row('Phase A', sftWords(phaseA)),
    row('  Gate A', criteriaWords(gates.A.criteria)),
    row(
      'Phase B',
      `${sftWords(phaseB)}; filtering ${phaseB.filtering}, balance ${phaseB.balance}${phaseB.sharedTemplate ? '' : ', evaluated with the answer template'}`,
    ),
    row('  Gate B', criteriaWords(gates.B.criteria)),
    ...phaseCRows(recipe, estimate).map(([name, text]) => row(name, text)),
    row(
      'Policy',
      `${gates.policy}: ${policyWords[gates.policy]}; at most ${String(gates.maxFixes)} repetitions of a phase`,
    ),
    row('Cost', costWords(recipe, estimate, simulated)),
    ...capLines(budget.capUsd, estimate, paint),
    ...overriddenLines(overridden, paint),
  ];
}

const judgeWords = ({ judge }: Recipe, { judgeCalls }: CostEstimate): string[] =>
  judge ? [`${judge.model}; ${count(judgeCalls)} verdicts on question quality`] : [];

function capLines(capUsd: number, { totalUsd }: CostEstimate, paint: Paint): string[] {
  if (totalUsd <= capUsd) return [];
  const fix = 'such a run is refused. Raise budget.capUsd or lower data.samples.';
  return [paint.bad(`Above the cap of ${usd(capUsd)}: ${fix}`)];
}

function overriddenLines(overridden: LoadedRecipe['overridden'], paint: Paint): string[] {
  if (overridden.length === 0) return [];
  return [
    '',
    paint.strong('Overridden'),
    ...overridden.map(({ field, by, value }) => `  ${field} = ${value}  (${by})`),
  ];
}

const policyWords = {
  manual: 'every gate waits for a decision',
  auto: 'a gate that passes goes on by itself, any other waits',
  recommended: 'every gate takes its recommendation',
} as const;

const sftWords = ({ epochs, learningRate, batchSize, gradientAccumulation }: Recipe['phaseA']) =>
  `${significant(epochs)} epochs, lr ${significant(learningRate)}, batch ${String(batchSize)} × ${String(gradientAccumulation)}`;

function experimentWords({ experiments: { attribution } }: Recipe['phaseC']): string {
  if (attribution === 'off') return '; no attribution';
  return `; attribution of ${count(attribution.items)} answers, ${count(attribution.steps)} steps`;
}

function criteriaWords(criteria: Criterion[]): string {
  return criteria
    .map(({ metric, over, atLeast, confidence }) => {
      return `${metric}${over === undefined ? '' : ` over ${over}`} ≥ ${isGain(metric) ? pointsThreshold(atLeast) : threshold(atLeast)} at ${threshold(confidence)}`;
    })
    .join(' and ');
}

function costWords({ budget, teacher: { price, mode } }: Recipe, estimate: CostEstimate, simulated: boolean): string {
  const prices = price === undefined ? `prices of ${estimate.pricesDate ?? 'no date'}` : 'the recipe’s own price';
  const paidFor = estimate.teacherUsd > 0 ? ` (${prices})` : '';
  const teacher =
    estimate.teacherPriced || simulated
      ? `${usd(estimate.teacherUsd)} for the teacher at most${mode === 'batch' ? ', in batches' : ''}${paidFor}`
      : 'the teacher’s price is not known: give teacher.price';
  const judge = estimate.judgeUsd > 0 ? `; ${usd(estimate.judgeUsd)} for the judge at most` : '';
  const warning = budget.capUsd > 0 ? `, a warning at ${threshold(budget.warnShare)} of it` : '';
  const gpu = `${duration(estimate.gpuHours * 3600)} of device time planned, ${usd(estimate.gpuUsd)}`;
  return `${usd(estimate.totalUsd)}: ${teacher}${judge}; ${gpu}; cap ${usd(budget.capUsd)}${warning}`;
}
