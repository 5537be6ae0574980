import { estimateCost } from '../domain/estimate.ts';
import type { CostEstimate } from '../domain/estimate.ts';
import { priceProblem } from '../domain/prices.ts';
import { templateNames, templateProblems } from '../domain/templates.ts';
import type { Criterion } from './gates.ts';
import type { Problem } from './problem.ts';
import type { Recipe } from './recipe.ts';
import type { FieldPath } from './recipe-fields.ts';

type Found = Omit<Problem, 'field' | 'where'> & { path: FieldPath };

const invalid = (path: FieldPath, problem: string, fix: string): Found => ({
  type: 'InvalidRecipe',
  path,
  problem,
  fix,
});

/** Whether a model is the simulated teacher's by name: it costs nothing and no real server has it. */
export const isSimulated = (model: string): boolean => model.startsWith('simulated');

/** Price of the recipe's teacher: the recipe's own, free for the simulated teacher, else the table's. */
export const teacherPrice = (teacher: Recipe['teacher']): Recipe['teacher']['price'] =>
  isSimulated(teacher.model) ? 'free' : teacher.price;

/** What the run would cost at most; `simulated` when the simulated teacher will answer, whatever the recipe asks. */
export const estimateOf = (recipe: Recipe, simulated = false): CostEstimate =>
  estimateCost(recipe, { simulated: simulated || isSimulated(recipe.teacher.model) });

/** Everything that the schema cannot say because it takes two fields, as problems; empty = nothing wrong. */
export const checkRecipe = (recipe: Recipe): Found[] => [
  ...checkSources(recipe),
  ...checkTemplates(recipe),
  ...checkTeacher(recipe),
  ...checkDistributed(recipe),
  ...checkPhaseB(recipe),
  ...checkPhaseC(recipe),
  ...checkGates(recipe),
];

function checkSources({ model, data }: Recipe): Found[] {
  const found: Found[] = [];
  if (model.base.startsWith('builtin:') && model.base !== 'builtin:tiny') {
    found.push(
      invalid(['model', 'base'], `there is no ${model.base}`, 'write builtin:tiny, a hub id, a folder or s3://…'),
    );
  }
  if (data.source.startsWith('builtin:') && data.source !== 'builtin:world') {
    found.push(
      invalid(['data', 'source'], `there is no ${data.source}`, 'write builtin:world, a file, s3://… or hf://…'),
    );
  } else if (/^[a-z0-9+]+:\/\//i.test(data.source) && !/^(?:s3|hf):\/\//.test(data.source)) {
    const scheme = data.source.split('://')[0] ?? '';
    found.push(
      invalid(['data', 'source'], `${scheme}:// is not supported`, 'write a file, s3://… or hf://owner/name/file.json'),
    );
  }
  if (data.evaluationShare === 0 || data.evaluationShare === 1) {
    const none = data.evaluationShare === 0 ? 'no question is left to evaluate' : 'no question is left to train on';
    found.push(invalid(['data', 'evaluationShare'], none, 'write a share between 0 and 1, for example 0.3'));
  }
  if (data.evaluationLimit === 0 || data.evaluationLimit === 1) {
    found.push(
      invalid(
        ['data', 'evaluationLimit'],
        `${data.evaluationLimit} held-out questions decide nothing`,
        'write -1 for all, or at least 2',
      ),
    );
  }
  return found;
}

const checkTemplates = ({ templates }: Recipe): Found[] =>
  templateNames.flatMap((name) => {
    const own = templates[name];
    if (own === undefined) return [];
    return templateProblems(name, own).map((text) => {
      const [problem, fix] = text.split(/; (.*)/s);
      return invalid(['templates', name], problem ?? text, fix ?? 'correct the template');
    });
  });

function checkTeacher(recipe: Recipe): Found[] {
  const { teacher, budget } = recipe;
  if (priceProblem(teacher.model, teacherPrice(teacher)) !== null) {
    const fix = 'set teacher.price: inputPerMillionUsd and outputPerMillionUsd, or free for a local server';
    return [invalid(['teacher', 'model'], `no price is known for ${teacher.model}, so the cap could not hold`, fix)];
  }
  const estimate = estimateOf(recipe);
  if (estimate.teacherUsd <= budget.capUsd) return [];
  const calls = `${estimate.teacherCalls} calls of ${teacher.model} cost up to $${estimate.teacherUsd.toFixed(2)}`;
  const fix = 'raise budget.capUsd, or lower data.samples, teacher.maxTokens or phaseB.consensusAttempts';
  return [
    {
      ...invalid(['budget', 'capUsd'], `${calls}, above the cap of $${budget.capUsd.toFixed(2)}`, fix),
      type: 'BudgetExceeded',
    },
  ];
}

/** More GPUs than this host has are refused where the host is known: by the first job of a run, before the teacher is asked. */
function checkDistributed(recipe: Recipe): Found[] {
  const { processes, strategy } = recipe.distributed;
  if (strategy === 'fsdp' && processes === 1) {
    const fix = 'write distributed.processes: the number of GPUs, or leave the strategy out';
    return [invalid(['distributed', 'strategy'], 'fsdp splits a model over processes, and there is one', fix)];
  }
  return (['phaseA', 'phaseB', 'phaseC'] as const).flatMap((phase) => {
    const rows = recipe[phase].batchSize * recipe[phase].gradientAccumulation;
    if (rows >= processes) return [];
    const fix = `write ${phase}.batchSize or ${phase}.gradientAccumulation so that they multiply to ${processes} or more`;
    const problem = `${processes} processes, but a step of ${phase} has ${rows} ${rows === 1 ? 'row' : 'rows'}`;
    return [invalid(['distributed', 'processes'], problem, fix)];
  });
}

function checkPhaseB({ phaseB, data }: Recipe): Found[] {
  const found: Found[] = [];
  if (phaseB.filtering === 'consensus' && phaseB.consensusAttempts < 3) {
    const problem = `a majority of ${phaseB.consensusAttempts} is no majority`;
    found.push(invalid(['phaseB', 'consensusAttempts'], problem, 'write 3 or more, best an odd number'));
  }
  const held = phaseB.earlyStopping?.heldOutShare;
  if (held !== undefined && data.samples * held < 2) {
    const problem = `${held} of ${data.samples} samples is less than two rows`;
    found.push(
      invalid(
        ['phaseB', 'earlyStopping', 'heldOutShare'],
        problem,
        `write at least ${Math.ceil(200 / data.samples) / 100}`,
      ),
    );
  }
  return found;
}

const checkPhaseC = ({ phaseC }: Recipe): Found[] =>
  phaseC.stages.flatMap((stage, index) => {
    const found: Found[] = [];
    if (stage.loss === 'dr-dpo-published' && phaseC.batchSize * phaseC.gradientAccumulation === 1) {
      const problem = 'dr-dpo-published at one pair per step is plain DPO: its mean over the batch has one term';
      found.push(
        invalid(
          ['phaseC', 'stages', index, 'loss'],
          problem,
          'write phaseC.batchSize or phaseC.gradientAccumulation of at least 2',
        ),
      );
    }
    if (stage.dropNoisiestShare === 1) {
      const problem = 'all pairs would be dropped';
      found.push(
        invalid(['phaseC', 'stages', index, 'dropNoisiestShare'], problem, 'write a share below 1, the plan has 0.15'),
      );
    }
    return found;
  });

/** What a gain of each gate can be measured against: only what has been promoted before. */
const earlier = { A: ['majority'], B: ['majority', 'phaseA'], C: ['majority', 'phaseA', 'phaseB'] } as const;
/** What the drop by shuffled drafts can be measured against. */
const otherPrompts = ['full-draft', 'no-draft'];
/** Metrics of what is done in Phase C alone. */
const metricsOfC: Readonly<Record<string, string>> = {
  'ablation-gain': 'ablation',
  'shuffle-drop': 'shuffled drafts',
  attribution: 'attribution',
};

const checkGates = (recipe: Recipe): Found[] =>
  (['A', 'B', 'C'] as const).flatMap((gate) =>
    recipe.gates[gate].criteria.flatMap((criterion, index) => {
      const path = ['gates', gate, 'criteria', index];
      const ofC = metricsOfC[criterion.metric];
      if (ofC !== undefined && gate !== 'C')
        return [invalid([...path, 'metric'], `Gate ${gate} has no ${ofC}`, `ask for ${criterion.metric} at Gate C`)];
      if (criterion.metric === 'attribution' && recipe.phaseC.experiments.attribution === 'off') {
        const fix = 'remove the criterion, or phaseC.experiments.attribution: off';
        return [invalid([...path, 'metric'], 'attribution is asked for and switched off', fix)];
      }
      return checkOver(criterion, gate, path);
    }),
  );

function checkOver({ metric, over }: Criterion, gate: keyof typeof earlier, path: FieldPath): Found[] {
  const refuse = (problem: string, fix: string): Found[] => [invalid([...path, 'over'], problem, fix)];
  const known: readonly string[] = metric === 'gain' ? earlier[gate] : metric === 'shuffle-drop' ? otherPrompts : [];
  const oneOf = `write one of ${known.join(', ')}`;
  if (over === undefined)
    return known.length === 0 ? [] : refuse(`a ${metric} needs something that it is a ${metric} over`, oneOf);
  if (known.includes(over)) return [];
  if (known.length === 0) return refuse(`${metric} is not measured over anything`, 'remove it, or write metric: gain');
  return refuse(
    metric === 'gain' ? `${over} is not there yet at Gate ${gate}` : `${metric} is not measured over ${over}`,
    oneOf,
  );
}
