import { describe, expect, it } from 'vitest';
import { askDecision } from '../../cli/gates/decide-at-terminal.ts';
import { questionQuality } from '../activities/reports/reference-quality.ts';
import { evidenceText } from '../../cli/gates/evidence-text.ts';
import { paintFor } from '../../cli/terminal.ts';
import type { Experiment, GateEvidence } from '../../domain/gate-types.ts';
import { atGateB, budgetGate } from './fake-context.ts';

const plain = paintFor(false);
const openGate = () => atGateB().gates.open as GateEvidence;

describe('asking at a gate', () => {
  const asked = async (answers: string[], open = openGate()) => {
    const told: string[] = [];
    const left = [...answers];
    const decision = await askDecision(
      open,
      () => Promise.resolve(left.shift() ?? ''),
      (text) => told.push(text),
    );
    return { decision, told: told.join(''), left };
  };

  it('shows criteria and findings first', () => {
    expect(evidenceText(openGate(), plain).join('\n')).toMatch(
      /Gate B: ✗ fail[\s\S]*found +lost-to-filtering[\s\S]*ruled out +truncation[\s\S]*Recommended: fix \(filtering keep-all/,
    );
  });

  it('shows what a judge found', () => {
    const judged = { ...openGate(), questionQuality: questionQuality() };
    expect(evidenceText(judged, plain).join('\n')).toMatch(
      /Question quality\n {2}7 wins, 2 losses, 3 ties of 12: \+41\.7 points, [\s\S]* {2}judge simulated-judge, prompts/,
    );
  });
  it('shows experiments apart from what promotes', () => {
    const numbers = { n: 24, estimate: 0.33, low: 0.29, high: 0.37, p: 0.001 };
    const experiments: Experiment[] = [
      {
        name: 'attribution',
        measure: 'x',
        unit: 'share',
        ...numbers,
        atLeast: 0.2,
        verdict: 'pass',
        text: '33.0 % of it',
      },
      {
        name: 'attribution',
        measure: 'y',
        unit: 'points',
        ...numbers,
        atLeast: null,
        verdict: null,
        text: 'no change',
      },
    ];
    expect(evidenceText({ ...openGate(), experiments }, plain).join('\n')).toMatch(
      /Experiments, which promote nothing by themselves\n {2}✓ pass {2}attribution: 33\.0 % of it\n {2}attribution: no change\nDiagnosis/,
    );
  });

  it('shows an experiment that failed by name', () => {
    const failedExperiments = [
      { name: 'question-quality', type: 'TeacherRejected', message: 'correct\n the key' } as const,
    ];
    expect(evidenceText({ ...openGate(), failedExperiments }, plain).join('\n')).toMatch(
      /Experiments, which promote nothing by themselves\n {2}! failed {2}question-quality not measured: the experiment failed \(TeacherRejected: correct the key\)\nDiagnosis/u,
    );
  });

  it('takes beginnings of words, and asks again after a wrong one', async () => {
    expect((await asked(['x', 'sk', ''])).decision).toMatchObject({ choice: 'skip' });
    expect((await asked(['x', 'sk', ''])).told).toMatch(/offers approve, fix, skip, redesign, abort/);
    // `a` begins both approve and abort.
    expect((await asked(['a', 'later'])).decision).toBe('later');
  });

  it('asks why for an override, and goes back without an answer', async () => {
    expect((await asked(['approve', '', 'approve', 'we take it'])).decision).toMatchObject({
      choice: 'approve',
      note: 'we take it',
    });
  });

  it('asks for the new cap where the run is at its cap; nothing is raised by an empty answer', async () => {
    const { digest: evidence } = budgetGate();
    expect((await asked(['r', '$12.50', 'for Phase C'], budgetGate())).decision).toMatchObject({
      ...{ gate: 'budget', choice: 'raise', capUsd: 12.5, note: 'for Phase C', evidence },
    });
    expect((await asked([''], budgetGate())).decision).toMatchObject({ choice: 'stop' });
  });

  it('takes other remedies, and asks again when they are none', async () => {
    const { decision, told } = await asked(['fix', 'balanse=upsample', 'fix', 'balance=upsample epochs=5', '']);
    expect(told).toMatch(/balanse/);
    expect(decision).toMatchObject({ choice: 'fix', remedies: { balance: 'upsample', epochs: 5 } });
  });
});
