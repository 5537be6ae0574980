import { describe, expect, it } from 'vitest';
import { outcomeOf } from '../../domain/diagnosis-words.ts';
import { diagnose } from '../../domain/diagnosis.ts';
import type { DiagnosisInput } from '../../domain/diagnosis.ts';
import type { Finding } from '../../domain/gate-types.ts';
import { evaluated } from './rows.ts';

/** A loss per step on a line, with the noise of single batches on it. */
function falling(steps: number, from: number, to: number): { step: number; loss: number }[] {
  return Array.from({ length: steps }, (_, i) => ({
    step: i + 1,
    loss: from + ((to - from) * i) / (steps - 1) + 0.1 * Math.sin(7 * i),
  }));
}

/** Nothing is wrong here: balanced data, one template, reasoning that helps, no truncation. */
const sound: DiagnosisInput = {
  gate: 'B',
  candidate: evaluated({ yes: 180, no: 220, rightYes: 130, rightNo: 160 }),
  withReasoning: evaluated({ yes: 180, no: 220, rightYes: 130, rightNo: 160 }),
  withoutReasoning: evaluated({ yes: 180, no: 220, rightYes: 95, rightNo: 125 }),
  dataReport: {
    steps: [
      {
        name: 'drop-disagreements',
        before: { yes: 91, no: 109 },
        after: { yes: 86, no: 103 },
        removed: [{ reason: 'disagreed', counts: { yes: 5, no: 6 } }],
      },
    ],
  },
  control: evaluated({ yes: 180, no: 220, rightYes: 100, rightNo: 122 }),
  losses: {
    training: falling(100, 1.2, 0.4),
    heldOut: [1, 0.8, 0.7, 0.71].map((loss, epoch) => ({ step: 25 * (epoch + 1), loss })),
  },
  trainedTemplateDigest: 'aaaaaaaaaaaaaaaa',
  candidateTemplateDigest: 'aaaaaaaaaaaaaaaa',
  phaseB: {
    balance: 'none',
    filtering: 'drop-disagreements',
    consensusAttempts: 5,
    sharedTemplate: true,
    learningRate: 2e-4,
    epochs: 3,
  },
};
const finding = (cause: Finding['cause'], changes: Partial<DiagnosisInput> = {}): Finding => {
  const found = diagnose({ ...sound, ...changes }).find((candidate) => candidate.cause === cause);
  if (found === undefined) throw new Error(`no finding ${cause}`);
  return found;
};
const stepped = (yes: number, no: number, reason = 'disagreed') => ({
  dataReport: {
    steps: [
      {
        name: 'drop-disagreements',
        before: { yes: 91, no: 109 },
        after: { yes: 91 - yes, no: 109 - no },
        removed: [{ reason, counts: { yes, no } }],
      },
    ],
  },
});

describe('nothing planted', () => {
  it('finds nothing, and recommends nothing', () => {
    for (const gate of ['A', 'B', 'C'] as const) {
      for (const { cause, found, remedies } of diagnose({ ...sound, gate }))
        expect([cause, found, remedies]).toEqual([cause, false, {}]);
    }
  });
  it('looks for the causes of each gate', () => {
    const causes = (gate: 'A' | 'B' | 'C') => diagnose({ ...sound, gate }).map(({ cause }) => cause);
    expect(causes('A')).toEqual(['at-majority', 'answer-collapse', 'truncation', 'loss-not-falling', 'over-fitting']);
    expect(causes('B')).toEqual([
      'class-imbalance',
      'lost-to-filtering',
      'format-mismatch',
      'no-cot-benefit',
      'answer-collapse',
      'truncation',
      'loss-not-falling',
      'over-fitting',
      'forgetting',
    ]);
    expect(causes('C')).toEqual(['format-mismatch', 'no-cot-benefit', 'answer-collapse', 'truncation', 'forgetting']);
  });
});

describe('class imbalance', () => {
  it('is found in the reference run, with both numbers', () => {
    const candidate = evaluated({ yes: 321, no: 366, rightYes: 40, rightNo: 314 });
    const found = finding('class-imbalance', { ...stepped(52, 11), candidate });
    expect(found).toMatchObject({ found: true, remedies: { balance: 'upsample' } });
    expect(found.text).toBe(
      'yes is 28.5 % of the training rows and 45.5 % of the source; no is 86.6 % of the answers given and 53.3 % of the right ones',
    );
    expect(found.numbers['trainedYes']).toBeCloseTo(39 / 137, 12);
  });
  it('is not found once rows are balanced', () => {
    const phaseB = { ...sound.phaseB, balance: 'weighted-loss' } as const;
    expect(finding('class-imbalance', { ...stepped(52, 11), phaseB })).toMatchObject({ found: false, remedies: {} });
  });
});

describe('lost to filtering', () => {
  it('is found at 31.5 %, by reason and class; a majority would lose more yes, so consensus is not recommended', () => {
    const found = finding('lost-to-filtering', stepped(52, 11));
    expect(found).toMatchObject({ found: true, remedies: {} });
    expect(found.text).toBe('filters removed 31.5 % (63/200) of the rows (63 disagreed: 52 of 91 yes, 11 of 109 no)');
  });
  it('recommends consensus where attempts are right more often than not', () => {
    expect(finding('lost-to-filtering', stepped(30, 30)).remedies).toEqual({
      filtering: 'consensus',
      consensusAttempts: 5,
    });
    const phaseB = { ...sound.phaseB, filtering: 'consensus' } as const;
    const report = {
      dataReport: {
        steps: stepped(30, 30, 'majority disagreed').dataReport.steps.map((step) => ({ ...step, name: 'consensus' })),
      },
    };
    expect(finding('lost-to-filtering', { ...report, phaseB })).toMatchObject({ found: true, remedies: {} });
  });
  it('does not count what sampling or early stopping set aside', () => {
    const { steps } = sound.dataReport;
    const aside = {
      name: 'held out for early stopping',
      before: { yes: 86, no: 103 },
      after: { yes: 46, no: 43 },
      removed: [{ reason: 'held out', counts: { yes: 40, no: 60 } }],
    };
    const sampled = {
      name: 'sampled',
      before: { yes: 900, no: 1000 },
      after: { yes: 91, no: 109 },
      removed: [{ reason: 'not drawn', counts: { yes: 809, no: 891 } }],
    };
    expect(finding('lost-to-filtering', { dataReport: { steps: [sampled, ...steps, aside] } })).toMatchObject({
      found: false,
      numbers: { removedShare: 11 / 200 },
    });
  });
});

describe('format mismatch', () => {
  it('is found when the templates differ', () => {
    const found = finding('format-mismatch', { candidateTemplateDigest: 'bbbbbbbbbbbbbbbb' });
    expect(found).toMatchObject({ found: true, remedies: { sharedTemplate: true }, numbers: { sameTemplate: 0 } });
    expect(found.text).toContain('different templates (aaaaaaaaaaaa and bbbbbbbbbbbb)');
  });
});

describe('no CoT benefit', () => {
  it('is found when reasoning does not beat answering directly on the same items', () => {
    const found = finding('no-cot-benefit', {
      withReasoning: sound.withoutReasoning,
      withoutReasoning: sound.withReasoning,
    });
    expect(found).toMatchObject({
      found: true,
      remedies: { learningRate: 1e-4, epochs: 6, earlyStopping: { patienceEpochs: 2, heldOutShare: 0.1 } },
    });
    expect(found.text).toContain('55.0 % (220/400) with reasoning, 72.5 % (290/400) without: −17.5 points');
    expect(finding('no-cot-benefit', { withoutReasoning: sound.withReasoning }).found).toBe(true);
  });
  it('says when it was not measured', () => {
    expect(finding('no-cot-benefit', { withoutReasoning: undefined })).toMatchObject({
      found: null,
      text: expect.stringContaining('not measured') as string,
    });
  });
});

describe('answer collapse', () => {
  it('is found when nearly everything is answered no, and not when that is the truth', () => {
    const collapsed = evaluated({ yes: 180, no: 220, rightYes: 10, rightNo: 215 });
    expect(finding('answer-collapse', { candidate: collapsed })).toMatchObject({
      found: true,
      remedies: { balance: 'upsample' },
    });
    expect(finding('answer-collapse', { candidate: collapsed }).text).toBe(
      '96.3 % (385/400) of the answers are no; the most frequent right answer has 55.0 %',
    );
    expect(
      finding('answer-collapse', { candidate: evaluated({ yes: 40, no: 360, rightYes: 30, rightNo: 350 }) }).found,
    ).toBe(false);
  });
});

describe('truncation', () => {
  it('is found from 5 % on', () => {
    const cut = (items: number) =>
      sound.candidate.map((item, i) => (i < items ? { ...item, finish: 'length' as const } : item));
    expect(finding('truncation', { candidate: cut(20) })).toMatchObject({
      found: true,
      numbers: { truncatedShare: 0.05 },
    });
    expect(finding('truncation', { candidate: cut(19) }).found).toBe(false);
  });
});

describe('at the majority', () => {
  it('is found when the student is not shown to beat the most frequent answer', () => {
    const guessing = evaluated({ yes: 280, no: 320, rightYes: 140, rightNo: 170 });
    const found = finding('at-majority', { gate: 'A', candidate: guessing });
    expect(found.found).toBe(true);
    expect(found.text).toContain('51.7 % (310/600)');
    expect(found.text).toContain('53.3 % (320/600) by always answering no: −1.7 points');
  });
});

describe('the course of the training', () => {
  const heldOut = sound.losses?.heldOut ?? [];
  it('a loss that stays where it was is found, with both ends', () => {
    const found = finding('loss-not-falling', { losses: { training: falling(100, 1.2, 1.19), heldOut } });
    expect(found).toMatchObject({ found: true, remedies: {} });
    expect(found.text).toMatch(
      /^the training loss went from 1\.\d{3} to 1\.\d{3} nats per token; look at the learning rate/,
    );
    expect(finding('loss-not-falling', { losses: { training: falling(100, 1.2, 1.1), heldOut } }).found).toBe(false);
  });
  it('over-fitting is a held-out loss that rises while the training loss falls', () => {
    const rising = [0.9, 0.6, 0.7, 0.8].map((loss, epoch) => ({ step: 25 * (epoch + 1), loss }));
    const found = finding('over-fitting', { losses: { training: falling(100, 1.2, 0.2), heldOut: rising } });
    expect(found).toMatchObject({ found: true, remedies: { learningRate: 1e-4 }, numbers: { lowestStep: 50 } });
    expect(found.text).toBe(
      'the held-out loss was lowest at step 50 (0.600) and ended at 0.800, while the training loss fell on',
    );
    // Both rising is another fault: the training diverges.
    const training = [
      ...falling(50, 1.2, 0.4),
      ...falling(50, 0.4, 1.2).map(({ step, loss }) => ({ step: 50 + step, loss })),
    ];
    expect(finding('over-fitting', { losses: { training, heldOut: rising } }).found).toBe(false);
    expect(
      finding('over-fitting', { gate: 'A', losses: { training: falling(100, 1.2, 0.2), heldOut: rising } }),
    ).toMatchObject({ found: true, remedies: {} });
  });
  it('is not judged from too few steps, or without held-out rows', () => {
    const losses = { training: falling(3, 1, 1), heldOut: [] };
    for (const cause of ['loss-not-falling', 'over-fitting'] as const)
      for (const changes of [{ losses }, { losses: undefined }])
        expect(finding(cause, changes)).toMatchObject({
          found: null,
          text: expect.stringContaining('not measured') as string,
        });
  });
});

describe('forgetting', () => {
  it('is found where direct answers are worse than those of the model before, on the same items', () => {
    const found = finding('forgetting', { control: evaluated({ yes: 180, no: 220, rightYes: 130, rightNo: 160 }) });
    expect(found).toMatchObject({ found: true, remedies: { learningRate: 1e-4 } });
    expect(found.text).toContain(
      'asked directly 55.0 % (220/400), 72.5 % (290/400) before this training: −17.5 points',
    );
    expect(finding('forgetting', { control: undefined }).text).toContain('not measured');
    expect(finding('forgetting', { control: undefined }).found).toBeNull();
  });
});

describe('a check that lacks its numbers is not measured, and rules nothing out', () => {
  const many = falling(100, 1.2, 0.2);
  const nan = many.map(({ step }) => ({ step, loss: Number.NaN }));
  const rising = [0.6, 0.8, 0.9].map((loss, epoch) => ({ step: 25 * epoch, loss }));
  const unread = sound.candidate.map((item) => ({ ...item, answer: null, correct: false }));
  it.each<[string, Finding['cause'], Partial<DiagnosisInput>]>([
    ['no filter in the report of the data', 'class-imbalance', { dataReport: { steps: [] } }],
    ['no filter in the report of the data', 'lost-to-filtering', { dataReport: { steps: [] } }],
    ['no readable answer', 'class-imbalance', { candidate: unread }],
    ['no readable answer', 'answer-collapse', { candidate: unread }],
    ['no answers with reasoning', 'no-cot-benefit', { withReasoning: [] }],
    ['no answers of the candidate', 'forgetting', { withoutReasoning: [] }],
    ['a loss that is no number', 'loss-not-falling', { losses: { training: nan, heldOut: [] } }],
    ['a held-out loss that is no number', 'over-fitting', { losses: { training: many, heldOut: nan } }],
    ['nothing held out', 'over-fitting', { losses: { training: many, heldOut: [] } }],
    ['no training before the lowest', 'over-fitting', { losses: { training: many, heldOut: rising } }],
  ])('%s: %s', (_, cause, changes) => {
    const found = finding(cause, changes);
    expect(found).toMatchObject({ found: null, numbers: {}, remedies: {} });
    expect(found.text).toMatch(/^not measured: /);
    expect(found.text).not.toContain('NaN');
    expect(outcomeOf(found)).toBe('not measured');
  });
});
