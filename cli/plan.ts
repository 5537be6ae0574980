import { duration, count, significant, usd } from '../activities/reports/quantities.ts';
import type { Criterion } from '../config/gates.ts';
import type { Recipe } from '../config/recipe.ts';
import type { LoadedRecipe } from '../config/load-recipe.ts';
import type { CostEstimate } from '../domain/estimate.ts';
import { percent, pointsThreshold, threshold } from '../domain/figures.ts';
import type { Paint } from './terminal.ts';

/** What a run would do and cost, for `--dry-run`. Pure. */
export function planText(
  { recipe, digest, overridden }: LoadedRecipe,
  estimate: CostEstimate,
  simulated: boolean,
  paint: Paint,
): string[] {
  const { data, model, teacher, phaseA, phaseB, phaseC, gates, budget } = recipe;
  const row = (name: string, text: string) => `${paint.strong(name.padEnd(9))} ${text}`;
  const attempts = phaseB.filtering === 'consensus' ? phaseB.consensusAttempts : 1;
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
      `${teacherName}; ${count(estimate.teacherCalls)} calls (${String(attempts)} per question), ${count(teacher.maxTokens)} tokens at most`,
    ),
    row('Phase A', sftWords(phaseA)),
    row('  Gate A', criteriaWords(gates.A.criteria)),
    row(
      'Phase B',
      `${sftWords(phaseB)}; filtering ${phaseB.filtering}, balance ${phaseB.balance}${phaseB.sharedTemplate ? '' : ', evaluated with the answer template'}`,
    ),
    row('  Gate B', criteriaWords(gates.B.criteria)),
    row(
      'Phase C',
      `DPO, ${phaseC.stages.map(({ epochs, beta, loss }) => `${String(epochs)} × ${loss} at β ${significant(beta)}`).join(', ')}; lr ${significant(phaseC.learningRate)}`,
    ),
    row('  Gate C', criteriaWords(gates.C.criteria)),
    row(
      'Policy',
      `${gates.policy}: ${policyWords[gates.policy]}; at most ${String(gates.maxFixes)} repetitions of a phase`,
    ),
    row('Cost', costWords(recipe, estimate, simulated)),
    ...(estimate.teacherUsd > budget.capUsd
      ? [
          paint.bad(
            `Above the cap of ${usd(budget.capUsd)}: such a run is refused. Raise budget.capUsd or lower data.samples.`,
          ),
        ]
      : []),
    ...overriddenLines(overridden, paint),
  ];
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

function criteriaWords(criteria: Criterion[]): string {
  return criteria
    .map(({ metric, over, atLeast, confidence }) => {
      const isGain = metric === 'gain' || metric === 'ablation-gain';
      return `${metric}${over === undefined ? '' : ` over ${over}`} ≥ ${isGain ? pointsThreshold(atLeast) : threshold(atLeast)} at ${threshold(confidence)}`;
    })
    .join(' and ');
}

function costWords({ budget, teacher: { mode } }: Recipe, estimate: CostEstimate, simulated: boolean): string {
  const teacher =
    estimate.teacherPriced || simulated
      ? `${usd(estimate.teacherUsd)} for the teacher at most${mode === 'batch' ? ', in batches' : ''}`
      : 'the teacher’s price is not known: give teacher.price';
  const gpu = `${duration(estimate.gpuHours * 3600)} of device time planned, ${usd(estimate.gpuUsd)}`;
  return `${usd(estimate.totalUsd)}: ${teacher}; ${gpu}; cap ${usd(budget.capUsd)}`;
}
