import { describe, expect, it } from 'vitest';
import { loadRecipe } from '../../config/load-recipe.ts';
import { environmentFields, isDryRun, parseSet } from '../../config/overrides.ts';
import { Recipe } from '../../config/recipe.ts';
import { fieldPath, schemaOf } from '../../config/recipe-fields.ts';
import { listRecipes, recipeNames } from '../../config/recipe-files.ts';
import { parseRecipeText } from '../../config/recipe-text.ts';

const refused = (layers: Parameters<typeof loadRecipe>[0]): string => {
  try {
    loadRecipe(layers);
  } catch (error) {
    return `${(error as Error).name}: ${(error as Error).message}`;
  }
  throw new Error('was not refused');
};

const inline = { name: 'mine', description: 'A recipe of my own.' };

describe('the shipped recipes', () => {
  it('are those of the documentation', () => {
    expect(recipeNames()).toEqual(['demo', 'strategyqa-phi2', 'strategyqa-phi35', 'strategyqa-tiny']);
  });

  it.each(listRecipes())('$name loads, names itself and has a description', ({ name, description }) => {
    const { recipe, digest } = loadRecipe({ recipe: name });
    expect(recipe.name).toBe(name);
    expect(description.length).toBeGreaterThan(10);
    expect(digest).toMatch(/^[0-9a-f]{64}$/);
  });

  it('strategyqa-phi35 has the numbers of the reference run', () => {
    const { recipe } = loadRecipe({ recipe: 'strategyqa-phi35' });
    expect(recipe).toMatchObject({
      seed: 42,
      model: { base: 'microsoft/Phi-3.5-mini-instruct', use4bit: true },
      data: { samples: 200 },
      teacher: { model: 'gpt-4.1-nano', temperature: 0.3 },
      lora: { r: 16, alpha: 32, dropout: 0.1, targetModules: ['qkv_proj', 'o_proj', 'gate_up_proj', 'down_proj'] },
      phaseA: { epochs: 3, batchSize: 2, gradientAccumulation: 16, learningRate: 2e-4, maxLength: 2048 },
      phaseB: {
        epochs: 3,
        batchSize: 2,
        gradientAccumulation: 16,
        learningRate: 2e-4,
        filtering: 'drop-disagreements',
        balance: 'none',
      },
      phaseC: { learningRate: 1e-5, batchSize: 2 },
      plan: { hours: { A: 2, B: 2, C: 3 }, teacherUsd: 1.2 },
    });
    expect(
      recipe.phaseC.stages.map(({ epochs, beta, loss, dropNoisiestShare }) => [epochs, beta, loss, dropNoisiestShare]),
    ).toEqual([
      [1, 0.05, 'dpo', 0],
      [2, 0.1, 'cal-dpo', 0],
      [1, 0.1, 'cal-dpo', 0.15],
    ]);
  });
});

describe('layers', () => {
  it('go recipe < environment < overrides, and are recorded', () => {
    const { recipe, overridden } = loadRecipe({
      recipe: { ...inline, data: { samples: 100 }, seed: 1 },
      environment: { TRAIN_SAMPLES: '50', RANDOM_SEED: '7', HOME: '/root' },
      overrides: { 'data.samples': 20, phaseB: { learningRate: 1e-5 } },
    });
    expect(recipe.data.samples).toBe(20);
    expect(recipe.seed).toBe(7);
    expect(recipe.phaseB.learningRate).toBe(1e-5);
    expect(overridden).toEqual([
      { field: 'data.samples', by: 'TRAIN_SAMPLES', value: '50' },
      { field: 'seed', by: 'RANDOM_SEED', value: '7' },
      { field: 'data.samples', by: '--set', value: '20' },
      { field: 'phaseB.learningRate', by: '--set', value: '0.00001' },
    ]);
  });

  it('every environment variable of the specification sets fields that exist', () => {
    expect(Object.keys(environmentFields).sort()).toEqual(
      'BATCH_SIZE DATASET_NAME GPT4_MAX_TOKENS GPT4_MODEL GPT4_TEMPERATURE MAX_NEW_TOKENS MAX_SEQ_LENGTH MODEL_NAME RANDOM_SEED TRAIN_SAMPLES USE_4BIT'.split(
        ' ',
      ),
    );
    for (const field of Object.values(environmentFields).flat())
      expect(schemaOf(fieldPath(field)), field).toBeDefined();
    const { recipe } = loadRecipe({
      recipe: inline,
      environment: {
        DATASET_NAME: '/d.json',
        MODEL_NAME: 'a/b',
        MAX_NEW_TOKENS: '35',
        BATCH_SIZE: '4',
        USE_4BIT: 'False',
        MAX_SEQ_LENGTH: '512',
        GPT4_MODEL: 'gpt-4.1',
        GPT4_MAX_TOKENS: '150',
        GPT4_TEMPERATURE: '0.7',
        TRAIN_SAMPLES: '',
      },
    });
    expect(recipe.data).toMatchObject({ source: '/d.json', samples: 200 });
    expect(recipe.model).toMatchObject({ base: 'a/b', use4bit: false });
    expect(recipe.drafts.maxNewTokens).toBe(35);
    expect(
      [recipe.phaseA, recipe.phaseB, recipe.phaseC].map(({ batchSize, maxLength }) => [batchSize, maxLength]),
    ).toEqual([
      [4, 512],
      [4, 512],
      [4, 512],
    ]);
    expect(recipe.teacher).toMatchObject({ model: 'gpt-4.1', maxTokens: 150, temperature: 0.7 });
  });

  it('an index reaches into a list that the recipe leaves to its default', () => {
    const { recipe } = loadRecipe({ recipe: inline, overrides: { 'phaseC.stages.0.beta': 0.2 } });
    expect(recipe.phaseC.stages.map(({ beta }) => beta)).toEqual([0.2, 0.1, 0.1]);
    expect(loadRecipe({ recipe: inline }).recipe.phaseC.stages[0]?.beta).toBe(0.05);
  });

  it('--set takes YAML values', () => {
    expect(parseSet('phaseB.learningRate=1e-5')).toEqual({
      path: ['phaseB', 'learningRate'],
      value: 1e-5,
      by: '--set',
    });
    expect(parseSet('lora.targetModules=[a, b]').value).toEqual(['a', 'b']);
    expect(parseSet('model.use4bit=false').value).toBe(false);
    expect(parseSet('data.source=s3://b/k=v').value).toBe('s3://b/k=v');
    expect(() => parseSet('phaseB.learningRate')).toThrow('expected FIELD=VALUE');
  });

  it('DRY_RUN is read strictly: a typo must not spend money', () => {
    expect(isDryRun({ DRY_RUN: 'True' })).toBe(true);
    expect(isDryRun({ DRY_RUN: '0' })).toBe(false);
    expect(isDryRun({})).toBe(false);
    expect(() => isDryRun({ DRY_RUN: 'Treu' })).toThrow('DRY_RUN: expected True or False, got "Treu"');
  });

  it('the digest depends on the values, not on how they were given', () => {
    const written = loadRecipe({ recipe: { ...inline, seed: 7, data: { samples: 20 } } });
    const set = loadRecipe({
      recipe: { description: inline.description, name: inline.name },
      environment: { TRAIN_SAMPLES: '20' },
      overrides: { seed: 7 },
    });
    expect(set.digest).toBe(written.digest);
    expect(loadRecipe({ recipe: { ...inline, seed: 8, data: { samples: 20 } } }).digest).not.toBe(written.digest);
  });
});

describe('refusals', () => {
  it('name the line of a recipe file, also within lists', () => {
    const text = parseRecipeText(
      'name: x\ndescription: y\nphaseC:\n  stages:\n    - epochs: 1\n      beta: 0.1\n    - { epochs: 0, beta: 1 }\n',
      'x.yaml',
    );
    expect(text.whereIs(['phaseC', 'stages', 1, 'epochs'])).toBe('x.yaml:7');
    expect(text.whereIs(['phaseC', 'stages', 0, 'beta'])).toBe('x.yaml:6');
    expect(text.whereIs(['phaseA', 'epochs'])).toBe('x.yaml');
    expect(parseRecipeText('a: &s { x: 1 }\nb: { <<: *s, y: 2 }\n', 'x.yaml').values).toEqual({
      a: { x: 1 },
      b: { x: 1, y: 2 },
    });
    expect(() => parseRecipeText('name: x\nname: y\n', 'x.yaml')).toThrow(
      'x.yaml:2): not YAML: Map keys must be unique',
    );
  });

  it('report every problem at once, each with where it was set', () => {
    const message = refused({
      recipe: { ...inline, phaseA: { epochs: 'three' } },
      environment: { TRAIN_SAMPLES: 'many' },
      overrides: { 'phaseB.learnngRate': 1, 'gates.policy': 'automatic' },
    });
    expect(message.split('\n').sort()).toEqual([
      '- data.samples (TRAIN_SAMPLES): expected a whole number at least 2, got "many". Fix: give a whole number at least 2 (Training questions drawn, stratified by label)',
      '- gates.policy (--set): expected one of manual, auto, recommended, got "automatic". Fix: give one of manual, auto, recommended (manual waits always; auto goes on when passed; recommended takes the recommendation)',
      '- phaseA.epochs (the recipe given): expected a number above 0, got "three". Fix: give a number above 0 (Passes over the training set)',
      '- phaseB.learnngRate (--set): there is no such field. Fix: write phaseB.learningRate',
      'InvalidRecipe: 4 problems:',
    ]);
  });

  it.each([
    [{ 'teacher.model': 'gpt-9' }, 'teacher.model (--set): no price is known for gpt-9'],
    [
      { 'phaseC.stages.2.loss': 'dr-dpo-published', 'phaseC.batchSize': 1 },
      'phaseC.stages.2.loss (--set): dr-dpo-published at one pair per step',
    ],
    [
      { 'phaseB.filtering': 'consensus', 'phaseB.consensusAttempts': 2 },
      'phaseB.consensusAttempts (--set): a majority of 2 is no majority',
    ],
    [
      { 'templates.teacherVariants': [{ name: 'a' }, { name: 'b', system: 'Teach.' }] },
      'templates.teacherVariants (--set): 2 wordings, but each question is asked once. Fix: set phaseB.filtering: consensus',
    ],
    [
      { 'templates.teacherVariants': [{ name: 'a', user: '{question}' }] },
      'templates.teacherVariants.0.user (--set): lacks {draft}. Fix: put it where the draft belongs',
    ],
    [{ 'templates.teacherVariants': [{ name: 'a', sytem: 'x' }] }, 'templates.teacherVariants.0.sytem (--set)'],
    [
      { 'phaseB.earlyStopping.heldOutShare': 0.01, 'data.samples': 20 },
      'phaseB.earlyStopping.heldOutShare (--set): 0.01 of 20 samples is less than two rows. Fix: write at least 0.1',
    ],
    [{ 'gates.A.criteria': [{ metric: 'gain', over: 'phaseB', atLeast: 0 }] }, 'phaseB is not there yet at Gate A'],
    [{ 'gates.A.criteria': [{ metric: 'gain', atLeast: 0 }] }, 'a gain needs something that it is a gain over'],
    ...['accuracy', 'attribution'].map((metric): [Record<string, unknown>, string] => [
      { 'gates.C.criteria': [{ metric, over: 'phaseA', atLeast: 0 }] },
      `${metric} is not measured over anything`,
    ]),
    [{ 'gates.B.criteria.0.metric': 'ablation-gain', 'gates.B.criteria.0.over': undefined }, 'Gate B has no ablation'],
    [{ 'phaseC.batchSize': 1 }, 'phaseC.stages.1.loss (the recipe given): cal-dpo at one pair per step'],
    [
      { 'phaseC.stages.0.dropNoisiestShare': 0.15 },
      'phaseC.stages.0.dropNoisiestShare (--set): before the first step no pair is noisier than another',
    ],
    [{ 'gates.C.criteria': [{ metric: 'gain', over: 'phaseC', atLeast: 0 }] }, 'phaseC is not there yet at Gate C'],
    [
      { 'gates.B.criteria': [{ metric: 'question-quality', atLeast: 0.1 }], judge: {} },
      'Gate B has no comparison of questions. Fix: ask for question-quality at Gate C',
    ],
    [{ 'judge.model': 'judge-9' }, 'judge.model (--set): no price is known for judge-9'],
    [{ 'judge.templates.user': '{question}: {first}?' }, 'judge.templates.user (--set): lacks {second}'],
    [{ 'judge.apiKeyEnv': 'AWS_SECRET_ACCESS_KEY' }, 'judge.apiKeyEnv (--set): there is no such field'],
    [{ judge: {}, 'budget.capUsd': 0.1 }, '480 of gpt-4.1-mini up to $0.3'],
    [{ 'gates.B.criteria': [{ metric: 'attribution', atLeast: 0.2 }] }, 'Gate B has no attribution'],
    [{ 'gates.C.criteria': [{ metric: 'shuffle-drop', atLeast: 0 }] }, 'write one of full-draft, no-draft'],
    [
      { 'gates.C.criteria': [{ metric: 'shuffle-drop', over: 'phaseA', atLeast: 0 }] },
      'shuffle-drop is not measured over phaseA. Fix: write one of full-draft, no-draft',
    ],
    [
      {
        'phaseC.experiments.attribution': 'off',
        'gates.C.criteria': [{ metric: 'attribution', atLeast: 0.2 }],
      },
      'attribution is asked for and switched off',
    ],
    [{ 'data.evaluationShare': 1 }, 'no question is left to train on'],
    [{ 'model.base': 'builtin:huge' }, 'there is no builtin:huge'],
    [{ 'budget.capUsd': 0.01 }, 'BudgetExceeded: budget.capUsd (--set): 200 calls of gpt-4.1-nano cost up to $0.04'],
    [
      { 'templates.reasoning': 'Q: {question}\nDraft: {drfat}\nReasoning:' },
      'templates.reasoning (--set): lacks {draft}',
    ],
    [{ 'teacher.price': { inputPerMillionUsd: 1 } }, 'teacher.price.outputPerMillionUsd (--set): is missing'],
    [{ '__proto__.polluted': true }, 'there is no such field'],
  ])('%j', (overrides, message) => {
    expect(refused({ recipe: inline, overrides })).toContain(message);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });
});

it('attribution is on unless it is switched off, and can be made smaller', () => {
  const attributionOf = (overrides: Record<string, unknown>) =>
    loadRecipe({ recipe: 'demo', overrides }).recipe.phaseC.experiments.attribution;
  expect(Recipe.parse({ name: 'x', description: 'x' }).phaseC.experiments.attribution).toMatchObject({ items: 100 });
  expect(attributionOf({ 'phaseC.experiments.attribution.items': 5 })).toMatchObject({ items: 5, steps: 32 });
  expect(attributionOf({ 'phaseC.experiments.attribution': 'off' })).toBe('off');
});

it('a recipe resolved once resolves to itself', () => {
  const { recipe } = loadRecipe({ recipe: 'demo' });
  expect(Recipe.parse(recipe)).toEqual(recipe);
});
