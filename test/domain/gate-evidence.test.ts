import { describe, expect, it } from 'vitest';
import { checkDecision, evidenceDifferences } from '../../domain/decisions.ts';
import { gateEvidence } from '../../domain/gate-evidence.ts';
import type { GateInput } from '../../domain/gate-evidence.ts';
import type { Choice, EvidenceParts } from '../../domain/gate-types.ts';
import { evaluated, sha256, summaryOf } from './rows.ts';

const evaluation = (name: string, items: ReturnType<typeof evaluated>, template = 'reasoning') => ({
  items,
  summary: summaryOf(name, items, sha256(template)),
});
const phaseA = evaluation('A1/direct', evaluated({ yes: 321, no: 366, rightYes: 150, rightNo: 258 }), 'answer');
const direct = evaluation('B1/direct', evaluated({ yes: 321, no: 366, rightYes: 40, rightNo: 314 }), 'answer');
const reasoning = evaluation('B1/reasoning', evaluated({ yes: 321, no: 366, rightYes: 50, rightNo: 300 }));

/** Phase B as it failed: unbalanced by dropping disagreements, trained on one template and asked with another. */
const failedB: GateInput = {
  gate: 'B',
  attempt: 1,
  criteria: [{ metric: 'gain', over: 'phaseA', atLeast: 0.07, confidence: 0.95 }],
  evaluations: { candidate: direct, phaseA, direct, reasoning },
  dataReport: {
    steps: [
      {
        name: 'drop-disagreements',
        before: { yes: 91, no: 109 },
        after: { yes: 39, no: 98 },
        removed: [{ reason: 'disagreed', counts: { yes: 52, no: 11 } }],
      },
    ],
  },
  trainedTemplateDigest: sha256('reasoning'),
  adapterSha256: sha256('adapter'),
  recipeDigest: sha256('recipe'),
  phaseB: {
    balance: 'none',
    filtering: 'drop-disagreements',
    consensusAttempts: 5,
    sharedTemplate: false,
    learningRate: 2e-4,
    epochs: 3,
  },
  fixesLeft: 2,
};

describe('what repeats the phase is offered as long as gates.maxFixes allows', () => {
  const rounds = { round: { number: 2, try: 1 } };
  it.each<[string, Partial<GateInput>, string[], string[]]>([
    ['A', { gate: 'A' }, ['approve', 'retry', 'abort'], ['approve', 'abort']],
    ['B', {}, ['approve', 'fix', 'skip', 'redesign', 'abort'], ['approve', 'skip', 'abort']],
    ['C', { gate: 'C' }, ['approve', 'retry', 'abort'], ['approve', 'abort']],
    ['a later round', { gate: 'C', ...rounds }, ['approve', 'retry', 'skip', 'abort'], ['approve', 'skip', 'abort']],
  ])('gate %s', (_, changes, before, after) => {
    const options = (fixesLeft: number) => gateEvidence({ ...failedB, ...changes, fixesLeft }, sha256);
    expect(options(1).options).toEqual(before);
    for (const fixesLeft of [0, -1]) {
      const evidence = options(fixesLeft);
      expect(evidence.options).toEqual(after);
      expect(evidence.options).toContain(evidence.recommendation.choice);
      for (const choice of before.filter((each) => !after.includes(each)) as Choice[]) {
        const remedies = choice === 'redesign' ? { templates: { teacherSystem: 'Teach.' } } : { epochs: 6 };
        const input = { gate: evidence.gate, choice, ...(choice !== 'retry' && { remedies }) };
        expect(checkDecision(evidence, input)).toMatchObject({
          accepted: false,
          refusal: expect.stringMatching(/as often as gates\.maxFixes allows; .*--set gates\.maxFixes=N/) as string,
        });
      }
    }
  });
});

describe('evidence of the reference run’s Phase B', () => {
  const evidence = gateEvidence(failedB, sha256);
  it('fails and finds all four causes', () => {
    expect(evidence.verdict).toBe('fail');
    expect(evidence.diagnosis.filter(({ found }) => found).map(({ cause }) => cause)).toEqual([
      'class-imbalance',
      'lost-to-filtering',
      'format-mismatch',
      'no-cot-benefit',
      'answer-collapse',
    ]);
  });
  it('recommends the fix that its diagnosis calls for', () => {
    expect(evidence.recommendation).toMatchObject({
      choice: 'fix',
      remedies: { balance: 'upsample', sharedTemplate: true, epochs: 6 },
    });
    expect(evidence.options).toEqual(['approve', 'fix', 'skip', 'redesign', 'abort']);
  });
  it('shows every evaluation once and is plain JSON', () => {
    expect(evidence.evaluations.map(({ name }) => name)).toEqual(['B1/direct', 'A1/direct', 'B1/reasoning']);
    expect(JSON.parse(JSON.stringify(evidence))).toEqual(evidence);
  });
});

describe('digest', () => {
  const digest = (changes: Partial<GateInput> = {}) => gateEvidence({ ...failedB, ...changes }, sha256).digest;
  it('is the same for the same evidence', () => {
    expect(digest()).toBe(digest({ fixesLeft: 0 }));
    expect(digest()).toMatch(/^[0-9a-f]{64}$/);
  });
  it.each<[string, Partial<GateInput>]>([
    [
      'evaluation files',
      {
        evaluations: {
          ...failedB.evaluations,
          phaseA: { ...phaseA, summary: { ...phaseA.summary, items: { ...phaseA.summary.items, sha256: 'x' } } },
        },
      },
    ],
    ['adapter', { adapterSha256: sha256('another') }],
    ['prompts', { trainedTemplateDigest: sha256('answer') }],
    ['criteria', { criteria: [{ metric: 'gain', over: 'phaseA', atLeast: 0.05, confidence: 0.95 }] }],
    ['recipe', { recipeDigest: sha256('another') }],
    ['attempt', { attempt: 2 }],
    ['failed experiments', { failedExperiments: [{ name: 'attribution', type: 'InvalidJob', message: 'no' }] }],
  ])('changes with the %s', (_, changes) => {
    expect(digest(changes)).not.toBe(digest());
  });
});

describe('extension', () => {
  const close = evaluation(
    'B1/direct',
    evaluated({ yes: 321, no: 366, rightYes: 190, rightNo: 290, offset: 60 }),
    'answer',
  );
  const evaluations = { ...failedB.evaluations, candidate: close, direct: close };
  const judged = (questionsLeft: number, more: Partial<GateInput> = {}) =>
    gateEvidence({ ...failedB, evaluations, questionsLeft, looks: 2, ...more }, sha256);
  it('is offered and recommended where the questions left settle what is open', () => {
    const evidence = judged(20_000);
    expect(evidence.verdict).toBe('inconclusive');
    const needed = (evidence.criteria[0]?.settledBy ?? 0) - 687;
    expect(evidence.extension).toEqual({ items: needed, left: 20_000, settles: true });
    expect(evidence.options.at(-1)).toBe('extend');
    expect(evidence.recommendation.choice).toBe('extend');
    expect(evidence.recommendation.reason).toContain(`${needed} more held-out questions should settle it`);
  });
  it('takes what is left where that may not do, and then is not what is recommended', () => {
    const evidence = judged(50);
    expect(evidence.extension).toEqual({ items: 50, left: 50, settles: false });
    expect(evidence.recommendation.choice).not.toBe('extend');
  });
  it('is not offered without questions left, nor where the gate is clear', () => {
    expect(judged(0).options).not.toContain('extend');
    expect(gateEvidence({ ...failedB, questionsLeft: 50 }, sha256).options).not.toContain('extend');
  });
  it('a plan with more looks is other evidence: each must reach more', () => {
    expect(judged(50, { looks: 1 }).digest).not.toBe(judged(50).digest);
    expect(judged(50).criteria[0]?.exact?.level).toBeCloseTo(0.0125, 12);
  });
});

it('forgetting is judged against the model before, where that was asked directly', () => {
  const withControl = { ...failedB, evaluations: { ...failedB.evaluations, control: phaseA } };
  const forgotten = gateEvidence(withControl, sha256).diagnosis.find(({ cause }) => cause === 'forgetting');
  expect(forgotten).toMatchObject({ found: true, numbers: { n: 687 } });
});

describe('question quality', () => {
  const quality = (verdicts: string): NonNullable<GateInput['questionQuality']> => {
    const ref = (sha256: string) => ({ uri: `s3://b/${sha256}`, sha256, bytes: 1, rows: 100 });
    return {
      judge: {
        ...{ name: 'm', promptDigest: 'p', temperature: 0, maxTokens: 300 },
        ...{ bothOrders: true, structuredOutput: true },
      },
      compared: {
        ...{ items: 100, wins: 35, losses: 20, ties: 45, unjudged: 0, exact: 0, twice: 100 },
        ...{ flips: { first: 0, second: 0, half: 0 }, problems: {} },
      },
      ...{ lengthControl: null, calibration: null, verdicts: ref(verdicts), drafts: ref('d') },
    };
  };
  it('is evidence where it is no criterion, and part of what a decision rests on', () => {
    const one = gateEvidence({ ...failedB, questionQuality: quality('one') }, sha256);
    const other = gateEvidence({ ...failedB, questionQuality: quality('other') }, sha256);
    expect(one.questionQuality).toEqual(quality('one'));
    expect(one.criteria).toHaveLength(1);
    expect(one.digest).not.toBe(other.digest);
    expect(evidenceDifferences(one.parts as EvidenceParts, other.parts as EvidenceParts)).toEqual([
      'evaluation B1/question-quality',
    ]);
  });
  it('is not extended by more held-out questions where it is inconclusive', () => {
    const criteria = [{ metric: 'question-quality', atLeast: 0.1, confidence: 0.95 }] as const;
    const evidence = gateEvidence({ ...failedB, criteria, questionQuality: quality('v'), questionsLeft: 500 }, sha256);
    expect(evidence.verdict).toBe('inconclusive');
    expect(evidence.options).not.toContain('extend');
  });
});

it('refuses a summary that is not that of its items', () => {
  const broken = { ...direct, summary: { ...direct.summary, correct: 500 } };
  expect(() =>
    gateEvidence({ ...failedB, evaluations: { ...failedB.evaluations, candidate: broken } }, sha256),
  ).toThrow('says 500/687, its items 354/687');
});

describe('an experiment that failed', () => {
  const metrics = ['attribution', 'question-quality'] as const;
  const failedExperiments = metrics.map((name) => ({ name, type: 'TeacherRejected', message: 'correct the key' }));
  const criterion = (metric: (typeof metrics)[number]) => ({ metric, atLeast: 0.2, confidence: 0.95 });

  it.each(metrics)('is named where the criterion %s needs it, which is inconclusive then', (metric) => {
    const passes = { metric: 'accuracy', atLeast: 0.1, confidence: 0.95 } as const;
    const input = { ...failedB, gate: 'C', criteria: [passes, criterion(metric)] } as const;
    const evidence = gateEvidence({ ...input, failedExperiments }, sha256);
    expect(evidence).toMatchObject({ verdict: 'inconclusive', failedExperiments });
    expect(evidence.criteria[1]).toMatchObject({
      ...{ verdict: 'inconclusive', n: 0, p: null },
      text: `${metric} not measured: the experiment failed (TeacherRejected: correct the key): inconclusive`,
    });
    expect(JSON.parse(JSON.stringify(evidence))).toEqual(evidence);
  });

  it('changes nothing where no criterion needs it, but is shown', () => {
    const evidence = gateEvidence({ ...failedB, failedExperiments }, sha256);
    const { verdict, criteria } = gateEvidence(failedB, sha256);
    expect(evidence).toMatchObject({ verdict, criteria, failedExperiments });
  });
});
