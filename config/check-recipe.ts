import { estimateCost } from '../domain/estimate.ts';
import type { CostEstimate } from '../domain/estimate.ts';
import { judgeTemplateProblems } from '../domain/judge-prompt.ts';
import { priceProblem } from '../domain/prices.ts';
import { attemptsAsked, variantProblems } from '../domain/teacher-wordings.ts';
import { templateNames, templateProblems } from '../domain/templates.ts';
import { countTokens } from './count-tokens.ts';
import type { Criterion } from './gates.ts';
import { serverUrlProblem } from './keys.ts';
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

/** Price of the recipe's teacher or judge: the recipe's own, free for a simulated one, else the table's. */
export const teacherPrice = (asked: Pick<Recipe['teacher'], 'model' | 'price'>): Recipe['teacher']['price'] =>
  isSimulated(asked.model) ? 'free' : asked.price;

/** What the run would cost at most; `simulated` when the simulated teacher will answer, whatever the recipe asks. */
export const estimateOf = (recipe: Recipe, simulated = false): CostEstimate =>
  estimateCost(recipe, {
    countTokens,
    simulated: simulated || isSimulated(recipe.teacher.model),
    judgeSimulated: (simulated && recipe.judge?.baseUrl === undefined) || isSimulated(recipe.judge?.model ?? ''),
  });

/** Everything that the schema cannot say because it takes two fields, as problems; empty = nothing wrong. */
export const checkRecipe = (recipe: Recipe): Found[] => [
  ...checkSources(recipe),
  ...checkServers(recipe),
  ...checkTemplates(recipe),
  ...checkTeacher(recipe),
  ...checkJudge(recipe),
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

/** Servers that a recipe names, in words that do not repeat what may hold a password. */
const checkServers = ({ teacher, judge, gates }: Recipe): Found[] => [
  ...serverProblems(['teacher', 'baseUrl'], teacher.baseUrl),
  ...serverProblems(['judge', 'baseUrl'], judge?.baseUrl),
  ...serverProblems(['gates', 'webhook', 'url'], gates.webhook?.url, 'write it without what stands before the @'),
  ...(teacher.mode === 'batch' && Object.keys(teacher.headers ?? {}).length > 0
    ? [invalid(['teacher', 'headers'], 'the requests of a batch carry no headers', 'remove it, or write mode: live')]
    : []),
];

function serverProblems(path: FieldPath, url: string | undefined, fix?: string): Found[] {
  const wrong = url === undefined ? null : serverUrlProblem(url);
  return wrong === null ? [] : [invalid(path, wrong.problem, fix ?? wrong.fix)];
}

const checkTemplates = ({ templates, phaseB }: Recipe): Found[] => [
  ...templateNames.flatMap((name) => {
    const own = templates[name];
    return own === undefined ? [] : wordingProblems(['templates', name], templateProblems(name, own));
  }),
  ...variantProblems(templates, attemptsAsked(phaseB)).flatMap(({ path, text }) =>
    wordingProblems(['templates', 'teacherVariants', ...path], [text]),
  ),
];

const wordingProblems = (path: FieldPath, problems: readonly string[]): Found[] =>
  problems.map((text) => {
    const [problem, fix] = text.split(/; (.*)/s);
    return invalid(path, problem ?? text, fix ?? 'correct the template');
  });

function checkJudge({ judge }: Recipe): Found[] {
  if (judge === undefined) return [];
  const found = (['system', 'user'] as const).flatMap((name) => {
    const own = judge.templates[name];
    return own === undefined ? [] : wordingProblems(['judge', 'templates', name], judgeTemplateProblems(name, own));
  });
  if (priceProblem(judge.model, teacherPrice(judge)) === null) return found;
  const fix = 'set judge.price: inputPerMillionUsd and outputPerMillionUsd, or free for a local server';
  return [
    ...found,
    invalid(['judge', 'model'], `no price is known for ${judge.model}, so the cap could not hold`, fix),
  ];
}

function checkTeacher(recipe: Recipe): Found[] {
  const { teacher, budget } = recipe;
  if (priceProblem(teacher.model, teacherPrice(teacher)) !== null) {
    const fix = 'set teacher.price: inputPerMillionUsd and outputPerMillionUsd, or free for a local server';
    return [invalid(['teacher', 'model'], `no price is known for ${teacher.model}, so the cap could not hold`, fix)];
  }
  const estimate = estimateOf(recipe);
  if (estimate.totalUsd <= budget.capUsd) return [];
  const { teacherCalls, teacherUsd, judgeCalls, judgeUsd, gpuHours, gpuUsd, totalUsd } = estimate;
  const judge = judgeUsd > 0 ? recipe.judge : undefined;
  const parts = [
    `${teacherCalls} calls of ${teacher.model} cost up to $${teacherUsd.toFixed(2)}`,
    ...(judge ? [`${judgeCalls} of ${judge.model} up to $${judgeUsd.toFixed(2)}`] : []),
    ...(gpuUsd > 0 ? [`${gpuHours} planned GPU-hours $${gpuUsd.toFixed(2)}`] : []),
    ...(teacherUsd < totalUsd ? [`together $${totalUsd.toFixed(2)}`] : []),
  ];
  const calls = parts.join(', ');
  const fix = `raise budget.capUsd, or lower data.samples, teacher.maxTokens${judge ? ', judge.items' : ''} or phaseB.consensusAttempts`;
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

/** What a loss would be whose mean over the step's pairs had one term. */
const ofOnePair = {
  'dr-dpo-published': 'is plain DPO: its mean over the batch has one term',
  'cal-dpo': 'compares a pair with itself: μ is its own gap',
} as const;

/** One problem for all stages: they are mended together. */
function checkBatchLosses({ batchSize, gradientAccumulation, stages }: Recipe['phaseC']): Found[] {
  if (batchSize * gradientAccumulation > 1) return [];
  const loss = (['dr-dpo-published', 'cal-dpo'] as const).find((name) => stages.some((stage) => stage.loss === name));
  if (loss === undefined) return [];
  const problem = `${loss} at one pair per step ${ofOnePair[loss]}`;
  const fix = 'write phaseC.batchSize or phaseC.gradientAccumulation of at least 2';
  return [invalid(['phaseC', 'stages', stages.findIndex((stage) => stage.loss === loss), 'loss'], problem, fix)];
}

const checkPhaseC = ({ phaseC }: Recipe): Found[] => [
  ...checkBatchLosses(phaseC),
  ...phaseC.stages.flatMap(({ dropNoisiestShare }, index) => {
    const path = ['phaseC', 'stages', index, 'dropNoisiestShare'];
    if (dropNoisiestShare === 1)
      return [invalid(path, 'all pairs would be dropped', 'write a share below 1, the plan has 0.15')];
    if (index > 0 || dropNoisiestShare === 0) return [];
    const problem = 'before the first step no pair is noisier than another: all score the same';
    return [invalid(path, problem, 'write 0 here, and drop in a later stage')];
  }),
];

/** What a gain of each gate can be measured against: only what has been promoted before. */
const earlier = {
  A: ['majority'],
  B: ['majority', 'phaseA'],
  C: ['majority', 'phaseA', 'phaseB'],
  laterRounds: ['majority', 'phaseA', 'phaseB', 'phaseC'],
} as const;
/** What the drop by shuffled drafts can be measured against. */
const otherPrompts = ['full-draft', 'no-draft'];
/** Metrics of what is done in Phase C alone. */
const metricsOfC: Readonly<Record<string, string>> = {
  'ablation-gain': 'ablation',
  'shuffle-drop': 'shuffled drafts',
  attribution: 'attribution',
  'question-quality': 'comparison of questions',
};

const checkGates = (recipe: Recipe): Found[] =>
  (['A', 'B', 'C', 'laterRounds'] as const).flatMap((gate) =>
    recipe.gates[gate].criteria.flatMap((criterion, index) => {
      const path = ['gates', gate, 'criteria', index];
      const ofC = metricsOfC[criterion.metric];
      if (ofC !== undefined && (gate === 'A' || gate === 'B'))
        return [invalid([...path, 'metric'], `Gate ${gate} has no ${ofC}`, `ask for ${criterion.metric} at Gate C`)];
      if (criterion.metric === 'attribution' && recipe.phaseC.experiments.attribution === 'off') {
        const fix = 'remove the criterion, or phaseC.experiments.attribution: off';
        return [invalid([...path, 'metric'], 'attribution is asked for and switched off', fix)];
      }
      if (criterion.metric === 'question-quality' && recipe.judge === undefined)
        return [invalid([...path, 'metric'], 'no judge compares the questions', 'add judge: with its model')];
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
