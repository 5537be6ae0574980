import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { agreement, calibrationOf, calibrationPairs, cohenKappa } from '../../domain/calibration.ts';
import type { Calibration } from '../../domain/calibration.ts';
import { judgeMessages, parseVerdict, resolveJudgeTemplates } from '../../domain/judge-prompt.ts';
import {
  combineOrders,
  countPairs,
  exactVerdict,
  flipRate,
  flipsOf,
  signTestP,
  winMargin,
  winRate,
} from '../../domain/judging.ts';
import type { JudgedPair, PairCounts, Said } from '../../domain/judging.ts';
import { controlLength, fitLogistic } from '../../domain/length-control.ts';
import type { LengthPair } from '../../domain/length-control.ts';
import { qualityLines } from '../../domain/question-quality.ts';
import type { Question } from '../../domain/records.ts';

const fixture = JSON.parse(readFileSync(join(import.meta.dirname, 'fixtures', 'judging.json'), 'utf8')) as {
  fits: { xs: number[]; ys: number[]; intercept: number; slope: number; interceptError: number; slopeError: number }[];
  kappas: { table: Calibration['table']; kappa: number | null }[];
};

const judgement = (said: Said | null, afterFirst: boolean): JudgedPair['judgements'][number] => ({
  ...{ said, afterFirst, reason: '', requestDigest: '', inputTokens: 1, outputTokens: 1, costUsd: 0, reused: false },
  ...(said === null && { problem: 'unreadable' as const }),
});

const pair = (first: Said | null, second: Said | null): JudgedPair => {
  const judgements = [judgement(first, false), judgement(second, true)];
  return {
    ...{ id: 'q', question: '', before: '', after: '', beforeChars: 0, afterChars: 0, by: 'judge', judgements },
    ...combineOrders(judgements),
  };
};

const counts = (own: Partial<PairCounts>): PairCounts => ({
  ...{ items: 0, wins: 0, losses: 0, ties: 0, unjudged: 0, exact: 0, twice: 0, problems: {} },
  flips: { first: 0, second: 0, half: 0 },
  ...own,
});

describe('both orders', () => {
  // `before` is first in the first order, second in the other.
  it.each([
    ['second', 'first', 'win', null],
    ['first', 'second', 'loss', null],
    ['tie', 'tie', 'tie', null],
    ['first', 'first', 'tie', 'first'],
    ['second', 'second', 'tie', 'second'],
    ['first', 'tie', 'tie', 'half'],
    ['tie', 'first', 'tie', 'half'],
    [null, 'first', null, null],
    ['first', null, null, null],
  ] as const)('%s, then %s: %s', (one, other, verdict, flipped) => {
    expect(pair(one, other)).toMatchObject({ verdict, flipped });
  });

  it('one order is the verdict', () => {
    expect(combineOrders([judgement('first', true)])).toEqual({ verdict: 'win', flipped: null });
    expect(combineOrders([judgement('first', false)])).toEqual({ verdict: 'loss', flipped: null });
  });

  it('are counted, and what has no verdict too', () => {
    const counted = countPairs([
      ...[pair('second', 'first'), pair('second', 'first'), pair('first', 'second'), pair('first', 'first')],
      ...[pair('tie', 'second'), pair(null, 'first'), pair(null, null)],
    ]);
    expect(counted).toEqual(
      counts({
        ...{ items: 7, wins: 2, losses: 1, ties: 2, unjudged: 2, twice: 5, problems: { unreadable: 3 } },
        flips: { first: 1, second: 0, half: 1 },
      }),
    );
    expect(flipRate(counted, 0.95).estimate).toBe(2 / 5);
    expect(flipsOf(counted)).toBe(2);
  });
});

describe('rates', () => {
  const counted = counts({ items: 200, wins: 80, losses: 40, ties: 76, unjudged: 4 });
  it('ties and pairs without a verdict count half; the margin is twice the distance of the rate from a half', () => {
    expect(winMargin(counted, 0.95).estimate).toBe(0.2);
    expect(winRate(counted, 0.95).estimate).toBe(0.6);
    const { low, high } = winRate(counted, 0.95);
    expect([low, high].map((bound) => 2 * bound - 1)).toEqual([
      expect.closeTo(winMargin(counted, 0.95).low, 12),
      expect.closeTo(winMargin(counted, 0.95).high, 12),
    ]);
    expect(winRate(counts({ items: 3, ties: 3 }), 0.95)).toMatchObject({ estimate: 0.5 });
  });
  it('the sign test leaves ties out: scipy.stats.binomtest(80, 120, 0.5)', () => {
    expect(signTestP(counted)).toBeCloseTo(0.0003304, 7);
    expect(signTestP(counts({ items: 5, ties: 5 }))).toBe(1);
  });
  it('are told in words, with what is behind them', () => {
    const lines = qualityLines({
      judge: {
        ...{ name: 'simulated-judge', promptDigest: 'abcdef0123456789', temperature: 0, maxTokens: 300 },
        ...{ bothOrders: true, structuredOutput: true },
      },
      compared: { ...counted, twice: 196, flips: { first: 20, second: 4, half: 6 }, problems: { unreadable: 4 } },
      lengthControl: controlLength([{ beforeChars: 5, afterChars: 9, verdict: 'win' }], 0.95),
      calibration: {
        table: { win: { win: 18, loss: 1, tie: 1 }, loss: { win: 2, loss: 17, tie: 1 } },
        unjudged: 0,
        flipped: 3,
      },
    });
    expect(lines).toEqual([
      '80 wins, 40 losses, 76 ties of 200, 4 without a verdict (unreadable 4; they count as ties): +20.0 points, 95 % +9.4 to +30.1 points; win rate 60.0 % (54.7–65.0 %), sign test p < 0.001',
      'flipped with the order: 15.3 % (30/196), 95 % 10.9–21.0 %: 20 for whichever came first, 4 second, 6 with one tie',
      'win rate of the 1 pair that the judge decided 100.0 %; length cannot be controlled for: all differ by about as much, +4 characters on average',
      'agrees with known answers: 87.5 % (35/40), 95 % 73.9–94.5 %, kappa 0.76',
      'judge simulated-judge, prompts abcdef012345, temperature 0, at most 300 tokens, both orders',
    ]);
  });
});

describe('length control', () => {
  it('is Firth’s regression, as maximised by scipy, separated data included', () => {
    expect(fixture.fits).toHaveLength(200);
    for (const { xs, ys, ...expected } of fixture.fits) {
      const fit = fitLogistic(xs, ys);
      for (const [name, value] of Object.entries(expected)) {
        const difference = Math.abs(fit[name as keyof typeof fit] - value) / Math.max(1, Math.abs(value));
        expect(difference, `${name} of ${xs.length} rows`).toBeLessThan(2e-6);
      }
    }
  });

  /** Deterministic draws, so that the test is the same every time. */
  const draws = (seed: number) => {
    let state = seed;
    return () => (state = (state * 48271) % 2147483647) / 2147483647;
  };
  /** `after` is better with `quality`, and a longer one wins with a log-odds of `bias` per 40 characters. */
  const judged = (n: number, quality: number, bias: number, longer: number): LengthPair[] => {
    const draw = draws(7);
    return Array.from({ length: n }, () => {
      const difference = Math.round((draw() + draw() + draw() - 1.5) * 80 + longer);
      const odds = Math.log(quality / (1 - quality)) + (bias * difference) / 40;
      const won = draw() < 1 / (1 + Math.exp(-odds));
      return { beforeChars: 200, afterChars: 200 + difference, verdict: won ? 'win' : 'loss' };
    });
  };
  it('takes away what length alone has won', () => {
    const control = controlLength(judged(4000, 0.5, 1.5, 40), 0.95);
    expect(control?.plain).toBeGreaterThan(0.7);
    expect(control?.controlled?.low).toBeLessThan(0.53);
    expect(control?.controlled?.high).toBeGreaterThan(0.47);
    expect(control?.slope).toBeGreaterThan(1);
  });
  it('leaves a better text its wins, longer or not', () => {
    const control = controlLength(judged(4000, 0.7, 0, 20), 0.95);
    expect(control?.controlled?.estimate).toBeCloseTo(0.7, 1);
    expect(control?.slope).toBeCloseTo(0, 0);
  });
  it('says so where length and quality cannot be told apart, and needs pairs', () => {
    const one = { beforeChars: 10, afterChars: 30, verdict: 'win' } as const;
    expect(controlLength([one, one], 0.95)).toMatchObject({ controlled: null, slope: null, plain: 1 });
    const nearly = Array.from({ length: 50 }, (_, index) => ({ ...one, afterChars: 1000 + (index % 3) }));
    expect(controlLength(nearly, 0.95)).toMatchObject({ n: 50, controlled: null });
    expect(controlLength([], 0.95)).toBeNull();
    const same = { ...one, afterChars: 10 };
    const { estimate } = controlLength([same, same, same], 0.95)?.controlled ?? {};
    // All of equal length: the penalised share, (3 + ½) / (3 + 1).
    expect(estimate).toBeCloseTo(0.875, 9);
  });
});

describe('calibration', () => {
  it('kappa is that of scikit-learn', () => {
    for (const { table, kappa } of fixture.kappas) {
      if (kappa === null) expect(cohenKappa({ table })).toBeNull();
      else expect(cohenKappa({ table })).toBeCloseTo(kappa, 12);
    }
  });
  const question = (n: number, decomposition: string[]): Question => ({
    ...{ id: `q${n}`, question: `Is it ${n}?`, answer: 'yes', facts: [], decomposition },
  });
  const questions = Array.from({ length: 30 }, (_, n) => question(n, [`Where is ${n}?`, 'Is #1 far?']));
  it('sets the steps of a question against another’s, on either side, the same for a seed', () => {
    const pairs = calibrationPairs(questions, 10, 1);
    expect(pairs.map(({ known }) => known)).toEqual(
      Array.from({ length: 10 }, (_, n) => (n % 2 === 0 ? 'win' : 'loss')),
    );
    for (const { id, before, after, known } of pairs) {
      const own = `Where is ${id.slice(1)}? Is #1 far?`;
      expect(known === 'win' ? after : before).toBe(own);
      expect(known === 'win' ? before : after).not.toBe(own);
    }
    expect(calibrationPairs([...questions].reverse(), 10, 1)).toEqual(pairs);
    expect(calibrationPairs(questions, 10, 2)).not.toEqual(pairs);
  });
  it('leaves out what has no answer: no steps, or the same steps in another order', () => {
    expect(calibrationPairs([question(1, []), question(2, [])], 10, 1)).toEqual([]);
    const mirrored = [question(1, ['A?', 'B?']), question(2, ['B?', 'A?'])];
    expect(calibrationPairs(mirrored, 10, 1)).toEqual([]);
    expect(calibrationPairs([question(1, ['A?'])], 10, 1)).toEqual([]);
  });
  it('a tie and no verdict are no agreement', () => {
    const rows = [
      { ...pair('second', 'first'), known: 'win' as const },
      { ...pair('first', 'first'), known: 'win' as const },
      { ...pair('first', 'second'), known: 'loss' as const },
      { ...pair(null, 'first'), known: 'loss' as const },
    ];
    const calibration = calibrationOf(rows);
    expect(calibration).toMatchObject({ unjudged: 1, flipped: 1 });
    expect(agreement(calibration, 0.95)).toMatchObject({ n: 4, right: 2 });
  });
});

describe('what needs no judge', () => {
  it.each([
    ['Why?', 'why', 'tie'],
    [null, '  ', 'tie'],
    [null, 'Why?', 'win'],
    ['Why?', '', 'loss'],
    ['Why?', 'How?', null],
  ] as const)('%s against %s: %s', (before, after, verdict) => {
    expect(exactVerdict(before, after)).toBe(verdict);
  });
});

describe('a judge’s answer', () => {
  it.each([
    ['{"reason": " It asks more. ", "better": "second"}', 'second', 'It asks more.'],
    ['Sure!\n```json\n{"better": "A", "reason": "r"}\n```', 'first', 'r'],
    ['{"winner": 2}', 'second', ''],
    ['It asks for what decides.\n\n**Better:** tie', 'tie', 'It asks for what decides.'],
    ['Better: first\nOn reflection:\nBetter: second', 'second', 'Better: first\nOn reflection:'],
    ['Verdict: B', 'second', ''],
  ])('%s', (text, said, reason) => {
    expect(parseVerdict(text)).toEqual({ said, reason });
  });
  it.each(['', 'The first one is nice.', '{"better": "both"}', '{"reason": "cut', 'first', '[1]', 'null'])(
    '%s names no verdict',
    (text) => {
      expect(parseVerdict(text)).toBeNull();
    },
  );
  it('is asked for with both texts in the order given', () => {
    const { user } = judgeMessages(resolveJudgeTemplates({}), { question: 'Q?', first: 'one {first}', second: 'two' });
    expect(user).toBe(
      'Question: Q?\n\n<first>\none {first}\n</first>\n\n<second>\ntwo\n</second>\n\nWhich set of clarifying questions is better?',
    );
  });
});
