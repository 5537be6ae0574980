import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { badInput } from '../../cli/problem.ts';
import { budgetGate, gatesView, ratchet } from './fake-context.ts';

describe('decide', () => {
  const programmes = { gates: () => Promise.resolve(gatesView()) };

  it('names the evidence of the open gate, and reads remedies as YAML', async () => {
    const ran = await ratchet(
      [
        'decide',
        'r1',
        'b',
        'fix',
        '--set',
        'balance=upsample',
        '--set',
        'earlyStopping={patienceEpochs: 2, heldOutShare: 0.1}',
        '--by',
        'Ada',
      ],
      { programmes },
    );
    expect(ran.code).toBe(0);
    expect(ran.calls[0]).toEqual([
      'decide',
      'r1',
      {
        gate: 'B',
        choice: 'fix',
        by: 'Ada',
        remedies: { balance: 'upsample', earlyStopping: { patienceEpochs: 2, heldOutShare: 0.1 } },
        evidence: gatesView().open?.digest,
      },
    ]);
  });

  it('reads a new template from a file', async () => {
    const file = join(mkdtempSync(join(tmpdir(), 'ratchet-')), 'prompt.txt');
    writeFileSync(file, 'Question: {question}\nDraft: {draft}\nThink:');
    const ran = await ratchet(['decide', 'r1', 'B', 'redesign', '--set', `templates.reasoning=@${file}`], {
      programmes,
    });
    expect(ran.calls[0]?.[2]).toMatchObject({
      remedies: { templates: { reasoning: 'Question: {question}\nDraft: {draft}\nThink:' } },
    });
  });

  it.each([
    [['--set', 'balance=sideways'], /balance/],
    [['--set', 'balanse=upsample'], /balanse/],
    [['--set', 'balance'], /expected remedy=value/],
    [['--set', 'templates.reasoning=@/no/such/file'], /no such file/],
  ])('refuses %j before anything is sent', async (more, message) => {
    const ran = await ratchet(['decide', 'r1', 'B', 'fix', ...more], { programmes });
    expect(ran.code).toBe(2);
    expect(ran.err).toMatch(message);
    expect(ran.calls).toEqual([['close']]);
  });

  it('overrides only when told so', async () => {
    const refused = await ratchet(['decide', 'r1', 'B', 'approve', '--note', 'x'], { programmes });
    expect(refused.code).toBe(2);
    expect(refused.err).toMatch(/did not pass \(fail\).*--override --note/s);
    const taken = await ratchet(['decide', 'r1', 'B', 'approve', '--override', '--note', 'x', '--json'], {
      programmes,
    });
    expect(taken.code).toBe(0);
    expect(JSON.parse(taken.out)).toMatchObject({ choice: 'approve', note: 'x', accepted: true });
  });

  it('shows the workflow’s own refusal', async () => {
    const decide = () => Promise.reject(badInput('The decision was refused: gate B is not open'));
    const ran = await ratchet(['decide', 'r1', 'B', 'abort'], { programmes: { ...programmes, decide } });
    expect(ran.code).toBe(2);
    expect(ran.err).toMatch(/gate B is not open/);
  });

  describe('at the budget gate', () => {
    const open = budgetGate();
    const capped = { gates: () => Promise.resolve({ ...gatesView(), open }) };

    it('raises the cap', async () => {
      const ran = await ratchet(['decide', 'r1', 'budget', 'raise', '--cap', '$12.50', '--by', 'Ada'], {
        programmes: capped,
      });
      const sent = { gate: 'budget', choice: 'raise', by: 'Ada', capUsd: 12.5, evidence: open.digest };
      expect(ran.calls[0]).toEqual(['decide', 'r1', sent]);
    });

    it('shows what was spent on what, what comes next, and how to go on', async () => {
      const { out } = await ratchet(['gates', 'r1'], { programmes: capped });
      expect(out).toContain('$0.98 of $1.00 are spent: teacher $0.50, judge $0.18, GPU $0.30 (10 min).');
      expect(out).toContain(
        'phaseB cannot go on: what comes next may cost $0.0500; the rest of this stage at most $0.40.',
      );
      expect(out).toContain('ratchet decide r1 budget raise --cap 1.04');
    });

    it.each(['nothing', '0', '-3'])('refuses a cap of %s before anything is sent', async (cap) => {
      const ran = await ratchet(['decide', 'r1', 'budget', 'raise', '--cap', cap], { programmes: capped });
      expect(ran.code).toBe(2);
      expect(ran.err).toMatch(/expected dollars, for example 12.50/);
    });
  });
});
