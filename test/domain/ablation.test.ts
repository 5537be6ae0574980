import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ablationTable } from '../../domain/ablation-table.ts';
import type { ArmItems, MeasuredArm, PairedDifference } from '../../domain/ablation-table.ts';
import { armNames, armStages, planArms } from '../../domain/ablation.ts';
import type { ArmName, DpoStage } from '../../domain/ablation.ts';

const stage = (epochs: number, beta: number, loss: DpoStage['loss'], dropNoisiestShare = 0): DpoStage => ({
  ...{ epochs, beta, loss, dropNoisiestShare },
});
const plan = [stage(1, 0.05, 'dpo'), stage(2, 0.1, 'cal-dpo'), stage(1, 0.1, 'cal-dpo', 0.15)];

describe('arms', () => {
  it('change the loss alone: epochs and β are those of the schedule', () => {
    expect(Object.fromEntries(armNames.map((name) => [name, armStages(name, plan)]))).toEqual({
      plain: [stage(4, 0.1, 'dpo')],
      cal: [stage(4, 0.1, 'cal-dpo')],
      dr: [stage(3, 0.1, 'dpo'), stage(1, 0.1, 'dpo', 0.15)],
      'cal-dr': [stage(3, 0.1, 'cal-dpo'), stage(1, 0.1, 'cal-dpo', 0.15)],
      schedule: plan,
      'cal-published': [stage(4, 0.1, 'cal-dpo-published')],
      'dr-published': [stage(4, 0.1, 'dr-dpo-published')],
    });
  });
  it('take over λ and β′ where the recipe has them', () => {
    const own = [{ ...stage(2, 0.2, 'cal-dpo-published'), calLambda: 0.01, drBetaPrime: 0.3 }];
    expect(armStages('cal-published', own)).toMatchObject([{ epochs: 2, beta: 0.2, calLambda: 0.01 }]);
    expect(armStages('dr-published', own)).toMatchObject([{ loss: 'dr-dpo-published', drBetaPrime: 0.3 }]);
  });
  it('that drop need an epoch before the one in which they drop', () => {
    expect(() => armStages('dr', [stage(1, 0.1, 'dpo')])).toThrow(/drops pairs in its last epoch.*two epochs/);
    expect(armStages('plain', [stage(1, 0.1, 'dpo')])).toEqual([stage(1, 0.1, 'dpo')]);
  });
  it('are planned seed by seed, plain DPO first and always', () => {
    const planned = planArms(['schedule', 'cal'], 2, { seed: 7, phaseC: { stages: plan } });
    expect(planned.map(({ name, repetition, seed }) => [name, repetition, seed])).toEqual([
      ['plain', 1, 7],
      ['cal', 1, 7],
      ['schedule', 1, 7],
      ['plain', 2, 8],
      ['cal', 2, 8],
      ['schedule', 2, 8],
    ]);
  });
});

type Expected = Record<keyof PairedDifference, number>;
type Fixture = {
  reference: string;
  rows: {
    name: ArmName;
    seed: number;
    answers: string;
    successes: number;
    low: number;
    high: number;
    overPlain: Expected | null;
    overReference: Expected;
  }[];
};
/** Made by fixtures/make_ablation_fixture.py with scipy and statsmodels. */
const fixture = JSON.parse(readFileSync(new URL('fixtures/ablation.json', import.meta.url), 'utf8')) as Fixture;

const itemsOf = (answers: string): ArmItems =>
  Array.from(answers, (right, index) => ({ id: `q${index}`, correct: right === '1' }));
const training = { steps: 3, gpuSeconds: 1, margin: 0.5, chosenRatio: -0.2 };
const arm = (name: ArmName, seed: number, answers: string): MeasuredArm => ({
  name,
  seed,
  ...training,
  items: itemsOf(answers),
});
const close = (expected: Expected) =>
  Object.fromEntries(Object.entries(expected).map(([field, value]) => [field, expect.closeTo(value, 9) as number]));

describe('the table', () => {
  const { reference, rows } = fixture;
  const table = ablationTable(
    itemsOf(reference),
    rows.map(({ name, seed, answers }) => arm(name, seed, answers)),
  );

  it('is that of scipy and statsmodels: Wilson, Tango, exact McNemar, Holm, detectable', () => {
    expect(table).toMatchObject({
      n: 240,
      reference: { successes: Array.from(reference).filter((bit) => bit === '1').length },
    });
    expect(table.rows).toEqual(
      rows.map(({ name, seed, successes, low, high, overPlain, overReference }) => ({
        ...{ name, seed, ...training },
        accuracy: {
          ...{ successes, n: 240, estimate: successes / 240 },
          ...{ low: expect.closeTo(low, 9) as number, high: expect.closeTo(high, 9) as number },
        },
        overPlain: overPlain && close(overPlain),
        overReference: close(overReference),
      })),
    );
  });
  it('shows the spread over seeds', () => {
    const shares = rows.filter(({ name }) => name === 'cal').map(({ successes }) => successes / 240);
    expect(table.spread.find(({ name }) => name === 'cal')).toEqual({
      ...{ name: 'cal', seeds: 2, mean: ((shares[0] ?? 0) + (shares[1] ?? 0)) / 2 },
      ...{ lowest: Math.min(...shares), highest: Math.max(...shares) },
    });
  });
  it('says what is shown, what is not, and what could have been', () => {
    expect(table.findings[0]).toMatch(
      /^Shown to differ from plain DPO: schedule \(seed 42\) \+[\d.]+ points .*; no other arm\. Differences of [\d.]+ to [\d.]+ points would have been shown with 80 % power\.$/,
    );
    const same = ablationTable(itemsOf(reference), [arm('plain', 42, reference), arm('cal', 42, reference)]);
    expect(same.findings).toEqual(
      ['plain DPO', 'the reference'].map(
        (side) =>
          expect.stringMatching(
            new RegExp(`^No arm is shown to differ from ${side}\\. Differences of [\\d.]+ points would`),
          ) as string,
      ),
    );
    expect(same.rows[1]?.overPlain).toMatchObject({ estimate: 0, p: 1, pHolm: 1, onlyNew: 0, onlyOld: 0 });
  });
  it('refuses arms that were asked other questions', () => {
    const other = {
      ...arm('cal', 42, reference),
      items: itemsOf(reference).map(({ correct }, index) => ({ id: `other${index}`, correct })),
    };
    expect(() => ablationTable(itemsOf(reference), [arm('plain', 42, reference), other])).toThrow(
      /not of the same items/,
    );
  });
});
