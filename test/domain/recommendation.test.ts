import { describe, expect, it } from 'vitest';
import { nearestName } from '../../domain/nearest.ts';
import type { CriterionVerdict, Finding, Remedies, Verdict } from '../../domain/gate-types.ts';
import type { PhaseName } from '../../domain/records.ts';
import { recommend } from '../../domain/recommendation.ts';
import { applyRemedies, changesText, mergeRemedies } from '../../domain/remedies.ts';
import type { RemediableRecipe } from '../../domain/remedies.ts';

const criterion = (verdict: Verdict): CriterionVerdict => ({
  criterion: { metric: 'accuracy', atLeast: 0.6, confidence: 0.95 },
  verdict,
  estimate: 0.5,
  low: 0.4,
  high: 0.6,
  n: 10,
  counts: { successes: 5 },
  p: null,
  detectable: 0.1,
  text: `the ${verdict} criterion`,
});
const found = (cause: Finding['cause'], remedies: Remedies = {}): Finding => ({
  cause,
  found: true,
  text: `text of ${cause}`,
  numbers: {},
  remedies,
});
const recommended = (gate: PhaseName, verdict: Verdict, fixesLeft: number, diagnosis: Finding[] = []) =>
  recommend({ gate, verdict, criteria: [criterion('pass'), criterion(verdict)], diagnosis, fixesLeft });

describe('recommend', () => {
  it.each(['A', 'B', 'C'] as const)('gate %s passed: approve', (gate) => {
    expect(recommended(gate, 'pass', 0, [found('at-majority')]).choice).toBe('approve');
  });
  it.each([
    ['A', 'fail', 2, [found('at-majority')], 'abort'],
    ['A', 'inconclusive', 2, [found('at-majority')], 'abort'],
    ['A', 'fail', 2, [], 'retry'],
    ['A', 'inconclusive', 1, [], 'retry'],
    ['A', 'inconclusive', 0, [], 'abort'],
    ['B', 'fail', 1, [found('class-imbalance', { balance: 'upsample' })], 'fix'],
    ['B', 'inconclusive', 1, [found('class-imbalance', { balance: 'upsample' })], 'fix'],
    ['B', 'fail', 0, [found('class-imbalance', { balance: 'upsample' })], 'skip'],
    ['B', 'fail', 2, [], 'skip'],
    ['B', 'fail', 2, [found('truncation')], 'skip'],
    ['C', 'fail', 2, [], 'abort'],
    ['C', 'inconclusive', 2, [], 'retry'],
    ['C', 'inconclusive', 0, [], 'abort'],
  ] as const)('gate %s %s, %i left: %j → %s', (gate, verdict, left, diagnosis, choice) => {
    const { choice: chosen, reason } = recommended(gate, verdict, left, [...diagnosis]);
    expect(chosen).toBe(choice);
    expect(reason).toMatch(/^[A-Z].*\.$/);
  });
  it('merges the remedies of all causes found, and of those alone', () => {
    const diagnosis = [
      found('class-imbalance', { balance: 'upsample' }),
      found('format-mismatch', { sharedTemplate: true }),
      { ...found('no-cot-benefit', { epochs: 6 }), found: false },
    ];
    expect(recommended('B', 'fail', 1, diagnosis)).toEqual({
      choice: 'fix',
      remedies: { balance: 'upsample', sharedTemplate: true },
      reason: 'Failed (the fail criterion); found class imbalance, format mismatch, which the remedies address.',
    });
  });
});

describe('remedies', () => {
  const recipe: RemediableRecipe & { name: string } = {
    name: 'demo',
    phaseB: {
      balance: 'none',
      filtering: 'drop-disagreements',
      consensusAttempts: 5,
      sharedTemplate: false,
      learningRate: 2e-4,
      epochs: 3,
    },
    templates: {},
  };
  it('change a copy of the recipe and record what changed', () => {
    const { recipe: changed, diff } = applyRemedies(recipe, {
      balance: 'upsample',
      epochs: 3,
      earlyStopping: { patienceEpochs: 2, heldOutShare: 0.1 },
      templates: { teacherSystem: 'Teach.' },
    });
    expect(changed).toEqual({
      ...recipe,
      phaseB: { ...recipe.phaseB, balance: 'upsample', earlyStopping: { patienceEpochs: 2, heldOutShare: 0.1 } },
      templates: { teacherSystem: 'Teach.' },
    });
    expect(recipe.phaseB.balance).toBe('none');
    expect(diff).toEqual([
      { field: 'phaseB.balance', from: 'none', to: 'upsample' },
      { field: 'phaseB.earlyStopping', from: null, to: { patienceEpochs: 2, heldOutShare: 0.1 } },
      { field: 'templates.teacherSystem', from: null, to: 'Teach.' },
    ]);
    expect(changesText(diff)).toBe(
      'phaseB.balance none → upsample, phaseB.earlyStopping null → {"patienceEpochs":2,"heldOutShare":0.1}, templates.teacherSystem null → Teach.',
    );
    expect(applyRemedies(changed, {}).diff).toEqual([]);
  });
  it('of an earlier cause win', () => {
    expect(mergeRemedies([{ epochs: 6 }, { epochs: 9, balance: 'upsample' }, {}])).toEqual({
      epochs: 6,
      balance: 'upsample',
    });
  });
});

it('nearestName is silent when nothing is near', () => {
  expect([nearestName('balence', ['balance', 'filtering']), nearestName('xyzzy', ['balance', 'filtering'])]).toEqual([
    'balance',
    null,
  ]);
  expect(nearestName('x'.repeat(100_000), ['gate'])).toBeNull();
});
