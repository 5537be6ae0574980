import { describe, expect, it } from 'vitest';
import { estimateCost } from '../../domain/estimate.ts';
import type { PricedRecipe } from '../../domain/estimate.ts';
import { applyRemedies } from '../../domain/remedies.ts';
import type { RemediableRecipe } from '../../domain/remedies.ts';
import { teacherWordings, variantProblems } from '../../domain/teacher-wordings.ts';
import { defaultTemplates } from '../../domain/templates.ts';

const user = 'Q: {question}\nD: {draft}';
const usual = { teacherSystem: 'Teach.' };
const variants = [{ name: 'usual' }, { name: 'short', system: 'Be short.' }, { name: 'turned', user }];

it('a wording takes what it leaves out from the usual templates', () => {
  const { teacherUser } = defaultTemplates;
  expect(teacherWordings(usual)).toEqual([{ name: null, system: 'Teach.', user: teacherUser }]);
  expect(teacherWordings({ ...usual, teacherVariants: variants })).toEqual([
    { name: 'usual', system: 'Teach.', user: teacherUser },
    { name: 'short', system: 'Be short.', user: teacherUser },
    { name: 'turned', system: 'Teach.', user },
  ]);
});

describe('variantProblems', () => {
  it('finds none in a sound list, nor without one', () => {
    expect(variantProblems({ ...usual, teacherVariants: variants }, 3)).toEqual([]);
    expect(variantProblems(usual, 1)).toEqual([]);
  });
  it.each([
    [[{ name: 'a', user: 'Q: {question}' }], 5, [0, 'user'], 'lacks {draft}; put it where the draft belongs'],
    [[{ name: 'a', system: 'Judge {draft}.' }], 5, [0, 'system'], 'takes no placeholder at all'],
    [[{ name: 'a' }, { name: 'a', system: 'x' }], 5, [1, 'name'], 'a is there already'],
    [[{ name: 'a' }, { name: 'b', system: 'Teach.' }], 5, [1], 'is worded as a; change its system or user'],
    [variants, 1, [], '3 wordings, but each question is asked once; set phaseB.filtering: consensus'],
    [variants, 2, [], '3 wordings, but each question is asked 2 times'],
  ])('%j asked %i times', (teacherVariants, attempts, path, problem) => {
    const found = variantProblems({ ...usual, teacherVariants }, attempts);
    expect(found).toEqual([{ path, text: expect.stringContaining(problem) as string }]);
  });
});

it('the estimate counts the longest wording', () => {
  const recipe: PricedRecipe = {
    data: { samples: 10 },
    drafts: { maxNewTokens: 100 },
    teacher: { model: 'mine', maxTokens: 1, price: { inputPerMillionUsd: 1e6, outputPerMillionUsd: 0 } },
    phaseB: { filtering: 'consensus', consensusAttempts: 3 },
    phaseC: { chosen: 'final-answer', rounds: 1 },
    templates: { teacherSystem: 's'.repeat(50), teacherUser: 'u'.repeat(10) },
    budget: { gpuHourUsd: 0 },
    plan: { hours: { A: 0, B: 0, C: 0 } },
  };
  const usd = (templates: PricedRecipe['templates']) =>
    estimateCost({ ...recipe, templates }, { countTokens: (text) => text.length }).teacherUsd;
  const longest = [{ name: 'short', system: 's' }, { name: 'long', user: 'u'.repeat(35) }, { name: 'usual' }];
  expect(usd({ ...recipe.templates, teacherVariants: longest }) - usd(recipe.templates)).toBe(30 * 25);
});

it('a redesigned prompt of the teacher takes the place of the list, any other wording leaves it', () => {
  const recipe = { phaseB: {} as RemediableRecipe['phaseB'], templates: { ...usual, teacherVariants: variants } };
  const { recipe: changed, diff } = applyRemedies(recipe, { templates: { teacherUser: user } });
  expect(teacherWordings(changed.templates)).toEqual([{ name: null, system: 'Teach.', user }]);
  expect(diff.at(-1)).toEqual({ field: 'templates.teacherVariants', from: variants, to: null });
  const reasoning = applyRemedies(recipe, { templates: { reasoning: 'x' } });
  expect(reasoning.recipe.templates.teacherVariants).toEqual(variants);
  expect(reasoning.diff.map(({ field }) => field)).toEqual(['templates.reasoning']);
});
