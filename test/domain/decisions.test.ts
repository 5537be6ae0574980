import { describe, expect, it } from 'vitest';
import { budgetEvidenceOf } from '../../domain/budget.ts';
import { checkDecision, gateOptions, parseDecision, parseRemedies, policyDecision } from '../../domain/decisions.ts';
import type { DecisionInput, GateEvidence, GateName, Recommendation, Verdict } from '../../domain/gate-types.ts';

const digest = 'a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f90';
const evidence = (
  gate: GateName,
  verdict: Verdict,
  recommendation: Recommendation = { choice: 'abort', reason: 'because' },
): GateEvidence => ({
  gate,
  attempt: 1,
  verdict,
  criteria: [],
  diagnosis: [],
  evaluations: [],
  options: [...gateOptions[gate]],
  recommendation,
  digest,
});
const fix: Recommendation = { choice: 'fix', remedies: { balance: 'upsample' }, reason: 'unbalanced' };

describe('parseDecision', () => {
  it('takes the plain JSON of the documentation', () => {
    expect(parseDecision({ gate: 'B', choice: 'fix' })).toEqual({ decision: { gate: 'B', choice: 'fix' } });
    const full: DecisionInput = {
      gate: 'B',
      choice: 'fix',
      by: 'ada',
      note: 'as the gate says',
      evidence: digest,
      remedies: {
        balance: 'upsample',
        filtering: 'consensus',
        consensusAttempts: 5,
        sharedTemplate: true,
        learningRate: 1e-4,
        epochs: 6,
        earlyStopping: { patienceEpochs: 2, heldOutShare: 0.1 },
      },
    };
    expect(parseDecision(full)).toEqual({ decision: full });
  });
  it.each([
    ['approve', 'the decision must be an object like'],
    [null, 'the decision must be an object'],
    [[], 'the decision must be an object'],
    [{}, 'gate must be one of A, B, C, budget, is missing'],
    [
      { gate: 'B' },
      'choice must be one of approve, retry, fix, skip, redesign, extend, abort, raise, stop, is missing',
    ],
    [{ gate: 'D', choice: 'fix' }, 'gate must be one of A, B, C, budget, is "D"'],
    [{ gate: 'budget', choice: 'raise', capUsd: '12' }, 'capUsd must be dollars above 0, is "12"'],
    [{ gate: 'budget', choice: 'raise', capUsd: 0 }, 'capUsd must be dollars above 0, is 0'],
    [{ gate: 'B', choice: 'aprove' }, 'is "aprove"; did you mean approve?'],
    [{ gate: 'B', choice: 'fix', remedy: {} }, 'the decision has an unknown field remedy; did you mean remedies?'],
    [{ gate: 'B', choice: 'fix', constructor: 1 }, 'unknown field constructor'],
    [{ gate: 'B', choice: 'approve', note: '  ' }, 'note must be a text'],
    [{ gate: 'B', choice: 'approve', by: 7 }, 'by must be a text of 1 to 200 characters, is 7'],
    [{ gate: 'B', choice: 'approve', note: 'x'.repeat(4001) }, 'note must be a text'],
    [
      { gate: 'B', choice: 'fix', remedies: { balanced: 'upsample' } },
      'remedies has an unknown field balanced; did you mean balance?',
    ],
    [
      { gate: 'B', choice: 'fix', remedies: { balance: 'upsampled' } },
      'remedies.balance must be one of none, upsample, weighted-loss, is "upsampled"; did you mean upsample?',
    ],
    [{ gate: 'B', choice: 'fix', remedies: { epochs: 0 } }, 'remedies.epochs must be a number above 0'],
    [
      { gate: 'B', choice: 'fix', remedies: { learningRate: '1e-5' } },
      'remedies.learningRate must be a number above 0 and at most 1, is "1e-5"',
    ],
    [
      { gate: 'B', choice: 'fix', remedies: { consensusAttempts: 2.5 } },
      'remedies.consensusAttempts must be a whole number from 1 to 15',
    ],
    [
      { gate: 'B', choice: 'fix', remedies: { sharedTemplate: 'yes' } },
      'remedies.sharedTemplate must be true or false',
    ],
    [
      { gate: 'B', choice: 'fix', remedies: { earlyStopping: { patienceEpochs: 2 } } },
      'remedies.earlyStopping.heldOutShare must be a number between 0 and 0.5, is missing',
    ],
    [
      { gate: 'B', choice: 'redesign', remedies: { templates: { reasoning: 'Q: {question}' } } },
      'remedies.templates.reasoning lacks {draft}',
    ],
  ])('refuses %j', (raw, message) => {
    const parsed = parseDecision(raw);
    expect('refusal' in parsed ? parsed.refusal : 'accepted').toContain(message);
  });
  it('reads remedies alone', () => {
    expect(parseRemedies({ epochs: 5 })).toEqual({ remedies: { epochs: 5 } });
    expect(parseRemedies({ epoch: 5 })).toEqual({ refusal: expect.stringContaining('did you mean epochs?') as string });
  });
});

describe('checkDecision', () => {
  const failedB = evidence('B', 'fail', fix);
  const accepted = { accepted: true, override: false };
  const refusal = (open: GateEvidence | null, input: DecisionInput): string => {
    const ruling = checkDecision(open, input);
    expect(ruling.override).toBe(false);
    return ruling.refusal ?? 'accepted';
  };
  it('accepts what the gate offers', () => {
    expect(checkDecision(evidence('A', 'pass'), { gate: 'A', choice: 'approve' })).toEqual(accepted);
    expect(checkDecision(failedB, { gate: 'B', choice: 'fix' })).toEqual(accepted);
    expect(checkDecision(failedB, { gate: 'B', choice: 'fix', remedies: { epochs: 6 }, evidence: digest })).toEqual(
      accepted,
    );
    expect(checkDecision(failedB, { gate: 'B', choice: 'skip', evidence: digest.slice(0, 12) })).toEqual(accepted);
    expect(
      checkDecision(failedB, { gate: 'B', choice: 'redesign', remedies: { templates: { teacherSystem: 'Teach.' } } }),
    ).toEqual(accepted);
  });
  it('refuses when no gate, or another gate, is open', () => {
    expect(refusal(null, { gate: 'B', choice: 'fix' })).toBe('gate B is not open; no gate waits for a decision');
    expect(refusal(failedB, { gate: 'A', choice: 'approve' })).toBe('gate A is not open; gate B is');
  });
  it('refuses what the gate does not offer', () => {
    expect(refusal(evidence('A', 'fail'), { gate: 'A', choice: 'fix' })).toBe(
      'gate A does not offer fix; it offers approve, retry, abort',
    );
    expect(refusal(failedB, { gate: 'B', choice: 'retry' })).toContain('does not offer retry');
  });
  it('refuses stale evidence, naming both digests', () => {
    const stale = refusal(failedB, { gate: 'B', choice: 'fix', evidence: 'ffff0000' });
    expect(stale).toContain('ffff0000');
    expect(stale).toContain(digest);
    expect(refusal(failedB, { gate: 'B', choice: 'fix', evidence: 'a1' })).toContain('was made on evidence a1');
  });
  it('says what changed since the evidence that was named, where the run had it', () => {
    const parts = {
      gate: 'B',
      attempt: 1,
      adapter: 'x',
      prompts: 'p',
      criteria: 'c',
      recipe: 'r',
      evaluations: { 'B1/direct': 'd', 'A1/direct': 'a' },
    } as const;
    const open = {
      ...failedB,
      parts: { ...parts, attempt: 2, adapter: 'y', recipe: 's', evaluations: { 'A1/direct': 'a', 'B2/direct': 'e' } },
    };
    const before = { ...failedB, digest: 'ffff00001111', parts };
    const named = { gate: 'B', choice: 'skip', evidence: 'ffff0000' } as const;
    expect(checkDecision(open, named, [before]).refusal).toContain(
      '(since then changed: attempt (1, now 2), evaluation B1/direct, evaluation B2/direct, adapter, recipe)',
    );
    expect(checkDecision(open, named).refusal).toContain('(this run never had that evidence)');
    expect(checkDecision(failedB, named, [{ ...before, gate: 'A' }]).refusal).toContain(
      '(that was attempt 1 at gate A)',
    );
  });
  it('approving what did not pass is an override and needs a note', () => {
    for (const verdict of ['fail', 'inconclusive'] as const) {
      const open = evidence('C', verdict);
      expect(refusal(open, { gate: 'C', choice: 'approve' })).toContain(
        `did not pass (${verdict}); approving it is an override and needs a note`,
      );
      expect(checkDecision(open, { gate: 'C', choice: 'approve', note: 'I know' })).toEqual({
        accepted: true,
        override: true,
      });
    }
    expect(checkDecision(evidence('C', 'pass'), { gate: 'C', choice: 'approve', note: 'fine' })).toEqual(accepted);
  });
  it('remedies go with fix, templates with redesign', () => {
    expect(refusal(failedB, { gate: 'B', choice: 'skip', remedies: { epochs: 3 } })).toContain(
      'remedies go with fix or redesign, not with skip',
    );
    expect(refusal(failedB, { gate: 'B', choice: 'redesign' })).toContain('redesign needs remedies.templates');
    expect(refusal(failedB, { gate: 'B', choice: 'fix', remedies: { templates: { teacherSystem: 'x' } } })).toContain(
      'goes with redesign',
    );
    expect(refusal(evidence('B', 'fail'), { gate: 'B', choice: 'fix' })).toContain('the evidence recommends none');
  });
});

describe('the budget gate', () => {
  const budget = budgetEvidenceOf('teacher', 1, { teacherUsd: 0.98, teacherCalls: 9, gpuSeconds: 0 }, 0, {
    nextUsd: 0.05,
    restUsd: null,
  });
  const open = { ...evidence('budget', 'fail', { choice: 'stop', reason: 'because' }), budget };
  const rule = (more: Partial<DecisionInput>) => checkDecision(open, { gate: 'budget', choice: 'raise', ...more });
  it('takes a cap that leaves room for what comes next, in whole cents', () => {
    expect(budget).toMatchObject({ spentUsd: 0.98, leastCapUsd: 1.04 });
    expect(rule({ capUsd: 1.04 })).toEqual({ accepted: true, override: false });
    for (const capUsd of [undefined, 0.5, 1, 1.03])
      expect(rule(capUsd === undefined ? {} : { capUsd }).refusal).toMatch(/^raise needs capUsd.*at least 1.04/);
    expect(rule({ choice: 'stop' }).accepted).toBe(true);
    expect(rule({ choice: 'stop', capUsd: 3 }).refusal).toContain('capUsd goes with raise');
    expect(checkDecision(evidence('A', 'pass'), { gate: 'A', choice: 'approve', capUsd: 3 }).refusal).toContain(
      'capUsd goes with raise',
    );
  });
  it('no policy decides', () => {
    for (const policy of ['manual', 'auto', 'recommended'] as const) expect(policyDecision(policy, open)).toBeNull();
  });
});

describe('policyDecision', () => {
  const passed = evidence('B', 'pass', { choice: 'approve', reason: 'Every criterion passed.' });
  const failed = evidence('B', 'fail', fix);
  it('manual never decides; auto approves what passed; recommended takes the recommendation', () => {
    expect([
      policyDecision('manual', passed),
      policyDecision('manual', failed),
      policyDecision('auto', failed),
    ]).toEqual([null, null, null]);
    expect(policyDecision('auto', passed)).toMatchObject({ choice: 'approve', by: 'policy auto', evidence: digest });
    expect(policyDecision('recommended', passed)).toMatchObject({ choice: 'approve' });
    expect(policyDecision('recommended', failed)).toEqual({
      gate: 'B',
      choice: 'fix',
      by: 'policy recommended',
      note: 'unbalanced',
      evidence: digest,
      remedies: { balance: 'upsample' },
    });
  });
  it('decides only what the gate accepts', () => {
    for (const open of [passed, failed, evidence('A', 'fail')]) {
      const decision = policyDecision('recommended', open);
      expect(decision && checkDecision(open, decision)).toEqual({ accepted: true, override: false });
    }
  });
});
