import { describe, expect, it } from 'vitest';
import type { GateCriterion } from '../../domain/gate-types.ts';
import { alwaysMajority, judgeCriteria, overallVerdict, pairItems } from '../../domain/gate-verdict.ts';
import type { GateItems } from '../../domain/gate-verdict.ts';
import { verdictOf } from '../../domain/rulings.ts';
import { evaluated } from './rows.ts';

const accuracy = (atLeast: number): GateCriterion => ({ metric: 'accuracy', atLeast, confidence: 0.95 });
const gain = (over: 'majority' | 'phaseA', atLeast: number): GateCriterion => ({
  metric: 'gain',
  over,
  atLeast,
  confidence: 0.95,
});

/** 687 questions, 366 no (53.3 %), as many right as the reference run had. */
const phaseA = evaluated({ yes: 321, no: 366, rightYes: 150, rightNo: 258 });
const phaseB = (offset = 0) => evaluated({ yes: 321, no: 366, rightYes: 40, rightNo: 314, offset });

describe('the reference run', () => {
  it('Gate A: 59.4 % (408/687) asked for 60 % is inconclusive', () => {
    const [verdict] = judgeCriteria([accuracy(0.6)], { candidate: phaseA });
    expect(verdict).toMatchObject({ verdict: 'inconclusive', n: 687, counts: { successes: 408 } });
    expect(verdict?.text).toBe(
      '59.4 % (408/687), 95 % interval 55.7–63.0 %, asked ≥ 60 %: inconclusive; about 50476 items would settle it',
    );
    expect(verdict?.detectable).toBeCloseTo(0.052, 3);
  });
  it('Gate B: 51.5 % (354/687) is −7.9 points and fails, however the two runs overlap', () => {
    for (const offset of [0, 50, 111, 170, 300]) {
      const [verdict] = judgeCriteria([gain('phaseA', 0.07)], { candidate: phaseB(offset), phaseA });
      expect(verdict).toMatchObject({ verdict: 'fail', n: 687 });
      expect(verdict?.text).toMatch(
        /^51\.5 % \(354\/687\) against 59\.4 % \(408\/687\) of Phase A: −7\.9 points, 95 % interval −\d+\.\d to [−+]\d+\.\d points, asked ≥ \+7 points: fail$/,
      );
    }
  });
  it('Gate A is better than always answering no', () => {
    const [verdict] = judgeCriteria([gain('majority', 0)], { candidate: phaseA });
    expect(verdict).toMatchObject({ verdict: 'pass', counts: { onlyNew: 150, onlyOld: 108 } });
    expect(verdict?.text).toContain('59.4 % (408/687) against 53.3 % (366/687) by always answering no: +6.1 points');
    expect(verdict?.p).toBeCloseTo(0.0106, 3);
  });
});

describe('criteria', () => {
  const better = evaluated({ yes: 200, no: 200, rightYes: 180, rightNo: 180 });
  const worse = evaluated({ yes: 200, no: 200, rightYes: 100, rightNo: 130 });
  it('a clear gain passes, the same gain asked the other way round fails', () => {
    expect(judgeCriteria([gain('phaseA', 0.1)], { candidate: better, phaseA: worse })[0]?.verdict).toBe('pass');
    expect(judgeCriteria([gain('phaseA', 0.1)], { candidate: worse, phaseA: better })[0]?.verdict).toBe('fail');
  });
  it('pairs by id, whatever the order', () => {
    const [straight] = judgeCriteria([gain('phaseA', 0.1)], { candidate: better, phaseA: worse });
    const [reversed] = judgeCriteria([gain('phaseA', 0.1)], { candidate: better, phaseA: [...worse].reverse() });
    expect(reversed).toEqual(straight);
  });
  it('counts which side alone was right', () => {
    expect(judgeCriteria([gain('phaseA', 0)], { candidate: better, phaseA: worse })[0]?.counts).toEqual({
      onlyNew: 130,
      onlyOld: 0,
    });
  });
  it('question-quality is wins minus losses, and more held-out questions do not settle it', () => {
    const compared = (wins: number, losses: number, items: number) => ({
      ...{ wins, losses, items, ties: items - wins - losses, unjudged: 0, exact: 0, twice: items },
      ...{ flips: { first: 0, second: 0, half: 0 }, problems: {} },
    });
    const asked: GateCriterion = { metric: 'question-quality', atLeast: 0.1, confidence: 0.95 };
    const judge = (wins: number, losses: number, items: number) =>
      judgeCriteria([asked], { candidate: better, questionQuality: compared(wins, losses, items) }, 2)[0];
    expect(judge(120, 20, 200)).toMatchObject({
      ...{ verdict: 'pass', n: 200, counts: { onlyNew: 120, onlyOld: 20 }, estimate: 0.5 },
      // It is not looked at again with an extension.
      exact: { level: expect.closeTo(0.025, 12) as number },
    });
    expect(judge(40, 60, 200)?.verdict).toBe('fail');
    expect(judge(70, 40, 200)).toMatchObject({ verdict: 'inconclusive', settledBy: null });
    expect(judge(70, 40, 200)?.text).toMatch(
      /^question quality: 70 wins, 40 losses of 200 \(win rate 57\.5 %\): \+15\.0 points, 95 % interval \+\d\.\d to \+\d+\.\d points, asked ≥ \+10 points: inconclusive; judge\.items of about \d+ would settle it$/,
    );
  });
  it('ablation-gain is against the no-draft evaluation; parsable is a share', () => {
    const unparsed = better.map((item, i) => (i < 40 ? { ...item, answer: null, correct: false } : item));
    const verdicts = judgeCriteria(
      [
        { metric: 'ablation-gain', atLeast: 0.03, confidence: 0.95 },
        { metric: 'parsable', atLeast: 0.85, confidence: 0.95 },
      ],
      { candidate: unparsed, noDraft: worse },
    );
    expect(verdicts.map(({ verdict }) => verdict)).toEqual(['pass', 'pass']);
    expect(verdicts[0]?.text).toContain('without drafts');
    expect(verdicts[1]?.text).toContain('parsable 90.0 % (360/400)');
  });
  it('a higher confidence widens the interval', () => {
    const [usual, strict] = judgeCriteria([accuracy(0.6), { ...accuracy(0.6), confidence: 0.99 }], {
      candidate: phaseA,
    });
    expect((strict?.high ?? 0) - (strict?.low ?? 0)).toBeGreaterThan((usual?.high ?? 0) - (usual?.low ?? 0));
    expect(strict?.text).toContain('99 % interval');
  });
  it('adjusts p over the gate by Holm', () => {
    const verdicts = judgeCriteria([accuracy(0.55), gain('majority', 0), gain('phaseA', 0)], {
      candidate: phaseA,
      phaseA,
    });
    const [smallest, middle] = verdicts.map(({ p }) => p ?? 1).sort((a, b) => a - b);
    expect(Math.min(...verdicts.map(({ pHolm }) => pHolm ?? 1))).toBeCloseTo(3 * (smallest ?? 1), 12);
    expect(verdicts.map(({ pHolm }) => pHolm)).toContain(2 * (middle ?? 1));
    expect(verdicts[2]).toMatchObject({ p: 1, pHolm: 1 });
  });
});

describe('what is refused', () => {
  const few = evaluated({ yes: 5, no: 5, rightYes: 3, rightNo: 3 });
  it.each([
    ['fewer items', few.slice(1), 'are not of the same items'],
    ['other items', few.map((item) => ({ ...item, id: `x${item.id}` })), 'for example q0000'],
    ['an item twice', [...few.slice(1), few[1] ?? { id: '', correct: false }], 'are not of the same items'],
  ])('unpaired evaluations: %s', (_, other, message) => {
    expect(() => pairItems(few, other, 'Phase A')).toThrow(message);
  });
  it('a candidate without items', () => {
    expect(() => judgeCriteria([accuracy(0)], { candidate: [] })).toThrow('has no items');
  });
});

describe('verdicts', () => {
  it('of a criterion: at the very threshold the lower bound clears it, the upper does not rule it out', () => {
    expect(verdictOf({ low: 0.6, high: 0.7 }, 0.6)).toBe('pass');
    expect(verdictOf({ low: 0.5, high: 0.6 }, 0.6)).toBe('inconclusive');
    expect(verdictOf({ low: 0.5, high: 0.5999 }, 0.6)).toBe('fail');
  });
  it.each([
    [['pass', 'pass'], 'pass'],
    [['pass', 'inconclusive'], 'inconclusive'],
    [['inconclusive', 'fail', 'pass'], 'fail'],
    [[], 'inconclusive'],
  ] as const)('of a gate: %j is %s', (verdicts, expected) => {
    expect(overallVerdict(verdicts.map((verdict) => ({ verdict })))).toBe(expected);
  });
  it('the most frequent answer of a tie is no', () => {
    expect(alwaysMajority(evaluated({ yes: 5, no: 5, rightYes: 0, rightNo: 0 })).answer).toBe('no');
    expect(alwaysMajority(evaluated({ yes: 6, no: 5, rightYes: 0, rightNo: 0 })).answer).toBe('yes');
  });
});

describe('a criterion that could not be measured is inconclusive, with the reason', () => {
  const candidate = evaluated({ yes: 5, no: 5, rightYes: 3, rightNo: 3 });
  const none = { wins: 0, losses: 0, ties: 0, items: 0 } as unknown as NonNullable<GateItems['questionQuality']>;
  const of = (metric: GateCriterion['metric'], over?: GateCriterion['over']): GateCriterion => ({
    ...{ metric, over, atLeast: -0.5, confidence: 0.95 },
  });
  it.each<[GateCriterion, Partial<GateItems>, string]>([
    [of('gain', 'phaseA'), {}, 'gain over phaseA not measured: it needs the evaluation of phaseA: inconclusive'],
    [of('gain', 'phaseB'), {}, 'needs the evaluation of phaseB'],
    [of('ablation-gain'), {}, 'ablation-gain not measured: it needs the no-draft evaluation'],
    [of('shuffle-drop', 'full-draft'), {}, 'needs the shuffled-draft evaluation'],
    [of('shuffle-drop', 'no-draft'), { shuffledDraft: candidate }, 'needs the no-draft evaluation'],
    [of('attribution'), {}, 'needs attributions'],
    [of('attribution'), { attribution: [] }, 'needs attributions'],
    [of('attribution'), { attribution: [{ id: 'q0000', share: 0.5 }] }, 'needs attributions of two answers'],
    [of('question-quality'), {}, 'needs the verdicts of a judge'],
    [of('question-quality'), { questionQuality: none }, 'needs the verdicts of a judge'],
  ])('%o', (criterion, items, reason) => {
    const [verdict] = judgeCriteria([criterion], { candidate, ...items });
    expect(verdict).toMatchObject({ verdict: 'inconclusive', n: 0, p: null, settledBy: null });
    expect(verdict?.text).toContain(reason);
    expect(overallVerdict([{ verdict: 'pass' }, { verdict: verdict?.verdict ?? 'pass' }])).toBe('inconclusive');
  });
});
