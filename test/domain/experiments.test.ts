import { describe, expect, it } from 'vitest';
import { judgeExperiments } from '../../domain/experiments.ts';
import type { Attributions } from '../../domain/experiments.ts';
import { gateEvidence } from '../../domain/gate-evidence.ts';
import type { GateInput } from '../../domain/gate-evidence.ts';
import { judgeCriteria } from '../../domain/gate-verdict.ts';
import type { AttributedItem } from '../../domain/records.ts';
import { evaluated, sha256, summaryOf } from './rows.ts';

const side = (right: number, offset = 0) => evaluated({ yes: 300, no: 300, rightYes: right, rightNo: right, offset });
const [full, noDraft, shuffled] = [side(250), side(200), side(180)];
const items = { candidate: full, noDraft, shuffledDraft: shuffled };

/** Answers whose drafts have about such a share of the attribution; one token in two is the draft's. */
const attributed = (share: number, n = 30): AttributedItem[] =>
  full.slice(0, n).map(({ id, truth }, index) => {
    const part = share + ((index % 5) - 2) * 0.02;
    const tokens = [
      { text: 'a', draft: false, special: false, attribution: 1 - part },
      { text: 'b', draft: true, special: false, attribution: -part },
    ];
    return { id, truth, answer: truth, score: 1 - part, baselineScore: part, tokens };
  });
const attributions = (before: AttributedItem[], after: AttributedItem[]): Attributions => {
  const of = (rows: AttributedItem[], name: string) => {
    const ref = { uri: `s3://r/${name}`, sha256: sha256(JSON.stringify(rows)), bytes: 1, rows: rows.length };
    const summary = { rows: ref, n: rows.length, leftOut: { noAnswer: 2, noDraft: 0 }, steps: 50, adapterSha256: name };
    return { summary, items: rows };
  };
  return { before: of(before, 'before'), after: of(after, 'after') };
};

describe('the experiments of Phase C', () => {
  const judged = judgeExperiments(items, attributions(attributed(0.3), attributed(0.45)));
  const of = (measure: string) => judged.find((experiment) => experiment.measure === measure);

  it('are shown with n, interval, p, what the plan asks, and a verdict by the engine of the gates', () => {
    expect(judged.map(({ name, measure, verdict }) => [name, measure, verdict])).toEqual([
      ['no-draft', 'full draft minus no draft', 'pass'],
      ['shuffled-draft', 'full draft minus shuffled draft', 'pass'],
      ['shuffled-draft', 'no draft minus shuffled draft', 'pass'],
      ['attribution', 'share on the draft, after DPO', 'pass'],
      ['attribution', 'share on the draft, after minus before DPO', null],
      ['attribution', 'share on the draft minus its share of the tokens', null],
    ]);
    const [criterion] = judgeCriteria([{ metric: 'ablation-gain', atLeast: 0.03, confidence: 0.95 }], {
      candidate: full,
      noDraft,
    });
    const { estimate, low, high, n, verdict } = criterion ?? {};
    expect(of('full draft minus no draft')).toMatchObject({ estimate, low, high, n, verdict, atLeast: 0.03 });
    expect(of('no draft minus shuffled draft')).toMatchObject({ n: 600, estimate: 40 / 600, atLeast: 0 });
    expect(of('no draft minus shuffled draft')?.text).toMatch(
      /^66\.7 % \(400\/600\) without drafts against 60\.0 % \(360\/600\) with the drafts of other questions: \+6\.7 points/,
    );
  });

  it('attribution: the mean share with its t interval, completeness and what was left out; its change is paired', () => {
    const after = of('share on the draft, after DPO');
    expect(after).toMatchObject({ n: 30, atLeast: 0.2, unit: 'share' });
    expect(after?.estimate).toBeCloseTo(0.45, 12);
    expect(after?.text).toMatch(
      /completeness missed by 0\.0 % of the mass \(median; worst 0\.0 %\).*left out: 2 without a readable answer/,
    );
    // The same items, and the same spread on both sides: nothing but the change is left.
    const change = of('share on the draft, after minus before DPO');
    expect(change?.estimate).toBeCloseTo(0.15, 12);
    expect((change?.high ?? 0) - (change?.low ?? 0)).toBeLessThan(1e-9);
    expect(of('share on the draft minus its share of the tokens')?.estimate).toBeCloseTo(-0.05, 12);
  });

  it.each([
    ['fail', attributed(0.1)],
    ['inconclusive', attributed(0.2)],
    ['inconclusive', attributed(0.9, 1)],
    ['inconclusive', []],
  ] as const)('attribution can be %s', (verdict, after) => {
    const found = judgeExperiments(items, attributions([...after], [...after])).find(
      ({ name }) => name === 'attribution',
    );
    expect(found?.verdict).toBe(verdict);
    expect(JSON.parse(JSON.stringify(found))).toEqual(found);
  });

  it('what was not measured is left out', () => {
    expect(judgeExperiments({ candidate: full }, undefined)).toEqual([]);
    expect(judgeExperiments({ candidate: full, shuffledDraft: shuffled }, undefined)).toHaveLength(1);
  });

  it('other items are refused, never compared', () => {
    const fewer = { ...items, shuffledDraft: shuffled.slice(1) };
    expect(() => judgeExperiments(fewer, undefined)).toThrow(
      /600 items\) and with the drafts of other questions \(599 items\) are not of the same items/,
    );
    const other = attributed(0.3, 31);
    expect(() => judgeExperiments(items, attributions(other, other.slice(0, 30)))).toThrow(
      'attributions before DPO (31 answers) and after it (30) are not of the same items',
    );
    expect(() => judgeExperiments(items, attributions(other.slice(1), other.slice(0, 30)))).toThrow(
      `not of the same items, for example ${other[0]?.id ?? ''}`,
    );
    const stray = attributed(0.3).map((item) => ({ ...item, id: `x${item.id}` }));
    expect(() => judgeExperiments(items, attributions(stray, stray))).toThrow(/none of the candidate's/);
  });
});

describe('as criteria', () => {
  const asked = (criterion: Parameters<typeof judgeCriteria>[0][number], share = 0.45) =>
    judgeCriteria([criterion], { ...items, attribution: attributed(share).map(({ id }) => ({ id, share })) })[0];
  it('shuffle-drop and attribution can be asked for', () => {
    expect(asked({ metric: 'shuffle-drop', over: 'no-draft', atLeast: 0.03, confidence: 0.95 })).toMatchObject({
      verdict: 'pass',
      counts: { onlyNew: 40, onlyOld: 0 },
    });
    expect(asked({ metric: 'attribution', atLeast: 0.2, confidence: 0.95 })).toMatchObject({ verdict: 'pass', n: 30 });
  });
  it('are inconclusive without what they are of', () => {
    const drop = { metric: 'shuffle-drop', over: 'full-draft', atLeast: 0, confidence: 0.95 } as const;
    const verdicts = judgeCriteria([drop, { ...drop, metric: 'attribution' }], { candidate: full });
    expect(verdicts.map(({ verdict }) => verdict)).toEqual(['inconclusive', 'inconclusive']);
    expect(verdicts[0]?.text).toContain('needs the shuffled-draft evaluation');
    expect(verdicts[1]?.text).toContain('needs attributions');
  });
});

describe('in the evidence', () => {
  const evaluation = (name: string, rows: typeof full) => ({ items: rows, summary: summaryOf(name, rows) });
  const input: GateInput = {
    gate: 'C',
    attempt: 1,
    criteria: [{ metric: 'ablation-gain', atLeast: 0.03, confidence: 0.95 }],
    evaluations: {
      candidate: evaluation('C1/reasoning', full),
      noDraft: evaluation('C1/no-draft', noDraft),
      shuffledDraft: evaluation('C1/shuffled-draft', shuffled),
    },
    attributions: attributions(attributed(0.1), attributed(0.1)),
    dataReport: { steps: [] },
    trainedTemplateDigest: 'reasoning-template',
    adapterSha256: 'adapter',
    recipeDigest: 'recipe',
    phaseB: {
      balance: 'none',
      filtering: 'keep-all',
      consensusAttempts: 5,
      sharedTemplate: true,
      learningRate: 1e-4,
      epochs: 3,
    },
    fixesLeft: 0,
  };
  it('promote nothing by themselves, unless a criterion asks for them', () => {
    const evidence = gateEvidence(input, sha256);
    expect(evidence.experiments?.find(({ name }) => name === 'attribution')?.verdict).toBe('fail');
    expect([evidence.verdict, evidence.recommendation.choice]).toEqual(['pass', 'approve']);
    const criteria = [...input.criteria, { metric: 'attribution', atLeast: 0.2, confidence: 0.95 } as const];
    expect(gateEvidence({ ...input, criteria }, sha256).verdict).toBe('fail');
  });
  it('more held-out questions do not settle an open attribution', () => {
    const attribution = { metric: 'attribution', atLeast: 0.1, confidence: 0.95 } as const;
    const open = { ...input, questionsLeft: 100_000, looks: 2, criteria: [attribution] };
    const alone = gateEvidence(open, sha256);
    expect([alone.verdict, alone.extension]).toEqual(['inconclusive', undefined]);
    const tight = { metric: 'ablation-gain', atLeast: 0.16, confidence: 0.95 } as const;
    expect(gateEvidence({ ...open, criteria: [attribution, tight] }, sha256).extension?.settles).toBe(false);
    expect(gateEvidence({ ...open, criteria: [tight] }, sha256).extension?.settles).toBe(true);
  });
  it('are covered by its digest', () => {
    const { digest } = gateEvidence(input, sha256);
    const other = { ...input, attributions: attributions(attributed(0.1), attributed(0.3)) };
    expect(gateEvidence(other, sha256).digest).not.toBe(digest);
    expect(gateEvidence(input, sha256).digest).toBe(digest);
  });
  it('belong to Gate C alone', () => {
    expect(gateEvidence({ ...input, gate: 'B', attributions: undefined }, sha256)).not.toHaveProperty('experiments');
  });
});
