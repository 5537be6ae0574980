import { describe, expect, it } from 'vitest';
import { ablationText } from '../../cli/ablation-text.ts';
import { summary } from '../../cli/summary.ts';
import type { Snapshot } from '../../cli/temporal/snapshot.ts';
import { paintFor } from '../../cli/terminal.ts';
import { changesBetween } from '../../cli/watch/changes.ts';
import { liveView } from '../../cli/watch/live-view.ts';
import type { AblationState } from '../../domain/ablation.ts';
import { halfAblation, wholeAblation } from '../activities/reports/reference-ablation.ts';
import { finished, ratchet } from './fake-context.ts';

const plain = paintFor(false);
const at = (ablation: AblationState, stage: 'ablation' | 'done'): Snapshot => ({
  ...finished(),
  state: { ...finished().state, stage, ablation },
  closed: stage === 'done' ? 'completed' : null,
});

describe('ratchet ablate', () => {
  it.each([
    [['--arms', 'plain,call'], /Did you mean cal/],
    [['--seeds', '0'], /whole number from 1 to 10/],
    [['--set', 'phaseC.rouns=2'], /phaseC\.rouns.*phaseC\.rounds/],
    [['--arms', 'dr', '--set', 'phaseC.stages=[{epochs: 1, beta: 0.1}]'], /two epochs or more/],
  ])('refuses %j', async (options, message) => {
    const ran = await ratchet(['ablate', 'demo', ...options]);
    expect(ran.err).toMatch(message);
    expect(ran.code).toBe(2);
    expect(ran.calls).toEqual([]);
  });

  it('sends plain JSON: what was given, and nothing else', async () => {
    const ran = await ratchet(['ablate', 'demo', '--detach', '--json']);
    expect(ran.calls[0]).toEqual(['startAblation', 'ablate-demo-20260302-080000', { recipe: 'demo' }]);
    const line = [
      'ablate',
      'demo',
      '--from',
      'old',
      '--arms',
      'cal, dr-published',
      '--seeds',
      '3',
      '--set',
      'seed=7',
      '--id',
      'x',
      '-d',
    ];
    expect((await ratchet(line)).calls[0]).toEqual([
      'startAblation',
      'x',
      { recipe: 'demo', overrides: { seed: 7 }, from: { run: 'old' }, arms: ['cal', 'dr-published'], seeds: 3 },
    ]);
  });

  it('plans without a server: from an older run nobody is asked and Phases A and B cost nothing', async () => {
    const dry = async (...more: string[]) =>
      JSON.parse((await ratchet(['ablate', 'demo', '--dry-run', '--json', ...more])).out) as {
        arms: unknown[];
        estimate: { teacherCalls: number; gpuHours: number };
      };
    const whole = await dry();
    expect(whole.arms).toHaveLength(5);
    expect(whole.estimate).toMatchObject({ teacherCalls: 200, gpuHours: 0.02 + 0.03 + 5 * 0.02 });
    const later = await dry('--from', 'old', '--arms', 'cal', '--seeds', '2');
    expect(later.arms).toHaveLength(4);
    expect(later.estimate).toMatchObject({ teacherCalls: 0, gpuHours: 4 * 0.02 });
    expect((await ratchet(['ablate', 'demo', '--dry-run'])).out).toMatch(
      /schedule +seed 42: 1 × dpo at β 0\.05, 2 × cal-dpo/,
    );
  });
});

describe('an ablation', () => {
  it('is watched arm by arm', () => {
    const view = liveView(at(halfAblation, 'ablation'), plain).join('\n');
    expect(view).toMatch(/✓ Start +57\.5 % \(23\/40\)\n✓ plain +60\.0 % \(24\/40\)\n▶ Arm 2 of 2/);
    expect(view).not.toMatch(/Phase C$/m);
    const [told] = changesBetween(at(halfAblation, 'ablation'), at({ ...wholeAblation, table: null }, 'ablation'));
    expect(told?.text).toBe('arm cal, seed 42: 85.0 % (34/40), 18 steps');
  });

  it('ends with its table, and what it could have shown', () => {
    const text = summary(at(wholeAblation, 'done').state, plain).join('\n');
    expect(text).toMatch(/start +57\.5 % +[\d.]+–[\d.]+ % +23\/40/);
    expect(text).toMatch(
      /cal +85\.0 % +[\d.–]+ % +34\/40 +\+25\.0 +\+[\d.]+ to \+[\d.]+ +0\.00195 .* 0\.21 +−0\.4 +18 +12 s/,
    );
    expect(text).toMatch(/Shown to differ from plain DPO: cal \+25\.0 points .*would have been shown with 80 % power/);
    expect(ablationText(halfAblation, plain)).toEqual(['1 of 2 arms are trained; the table is made when all are.']);
  });
});
