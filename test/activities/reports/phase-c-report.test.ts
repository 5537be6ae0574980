import { expect, it } from 'vitest';
import { lineageText } from '../../../cli/lineage-text.ts';
import { liveView } from '../../../cli/watch/live-view.ts';
import { paintFor } from '../../../cli/terminal.ts';
import { lineageOf } from '../../../domain/lineage.ts';
import type { PhaseAttempt } from '../../../domain/programme.ts';
import { judgeCriteria } from '../../../domain/gate-verdict.ts';
import { halfAblation, wholeAblation } from './reference-ablation.ts';
import { referenceRun } from './reference-run.ts';
import { now, render } from './rendered.ts';

const steps = [1, 2, 3].map((step) => ({
  ...{ event: 'step', step, epoch: step / 3, loss: 0.6, margin: step / 10, chosenRatio: -0.1, accuracy: 0.75 },
}));

it(
  'an ablation: every arm with intervals, tests, what could have been shown, and its curves',
  { timeout: 30_000 },
  async () => {
    const state = { ...referenceRun().state, ablation: wholeAblation };
    const { page, words, data } = await render({ state, rows: () => steps as never });
    expect(words).toMatch(/cal 85\.0 % [\d.–]+ % 34\/40 \+25\.0 \+[\d.]+ to \+[\d.]+ 0\.00195 [\d.]+/);
    expect(words).toMatch(
      /Shown to differ from plain DPO: cal \+25\.0 points .* would have been shown with 80 % power/,
    );
    for (const title of ['Reward margin', 'Change of the chosen log-prob', 'Pairs the right way round', 'Loss'])
      expect(words).toContain(title);
    expect(page).not.toMatch(/<script|undefined|NaN/);
    expect(data).toMatchObject({
      kind: 'ablation',
      table: { n: 40 },
      arms: [{ curve: { steps: 3 } }, { label: 'cal' }],
    });
  },
);

it(
  'an ablation that did not end, or whose metrics are gone, is shown as far as it came',
  { timeout: 30_000 },
  async () => {
    const state = {
      ...referenceRun().state,
      stage: 'cancelled' as const,
      conclusion: 'Cancelled.',
      ablation: halfAblation,
    };
    const gone = () => {
      throw new Error('no such key');
    };
    const { words, data } = await render({ state, rows: gone });
    expect(words).toMatch(/cancelled 1 of 2 trainings.* Cancelled\./);
    expect(data).toMatchObject({ table: null, arms: [{ curve: null }] });
  },
);

it(
  'a later round is named in report, status and lineage, with what it was made from',
  { timeout: 30_000 },
  async () => {
    const { state, rows } = referenceRun();
    const first = state.phases.at(-1) as PhaseAttempt;
    const drafts = { uri: 's3://b/runs/r/C-2/drafts.jsonl', sha256: 'd'.repeat(64), bytes: 1, rows: 200 };
    const draftReport = { n: 200, truncated: 0, unparsable: 0, lenient: 0, correct: 150 };
    const round = { number: 2, try: 1, drafts, draftReport, responses: drafts };
    const evidence = first.evidence && { ...first.evidence, attempt: 2, round: { number: 2, try: 1 } };
    const second = { ...first, attempt: 2, round, evidence, evaluations: [], candidate: 'C2/reasoning' };
    const later = {
      ...state,
      phases: [...state.phases, second],
      promoted: state.promoted && { ...state.promoted, attempt: 2 },
    };

    const { words } = await render({ state: later, rows });
    expect(words).toMatch(/The model stands at Phase C, round 2, with an override/);
    expect(words).toMatch(/Gate C, round 2/);
    expect(words).toContain('C2 drafts, training');
    const at = now.toISOString();
    const view = { gates: { open: null, waitingSince: null }, activities: [], inFlight: [], closed: null, at };
    expect(liveView({ ...view, state: later }, paintFor(false)).join('\n')).toMatch(
      /Phase C, round 2 not evaluated · gate \w+/,
    );
    const text = lineageText(lineageOf(later, second), paintFor(false)).join('\n');
    expect(text).toMatch(
      /Phase C2 \(round 2\) of .*\n.*\n {2}drafts {5}200 rows, dddddddddddd {2}s3:\/\/b\/runs\/r\/C-2\/drafts\.jsonl/,
    );
  },
);

it(
  'an experiment that failed is shown by name, with the criterion that it leaves open',
  { timeout: 30_000 },
  async () => {
    const run = referenceRun();
    run.state = structuredClone(run.state);
    const failed = { name: 'attribution', type: 'TrainerFailed', message: 'mend <b>it</b>' } as const;
    const evidence = run.state.phases.at(-1)?.evidence;
    const criterion = { metric: 'attribution', atLeast: 0.2, confidence: 0.95 } as const;
    evidence?.criteria.push(...judgeCriteria([criterion], { candidate: [], failed: [failed] }));
    Object.assign(evidence ?? {}, { failedExperiments: [failed] });
    const { page, words } = await render(run);
    const told = 'attribution not measured: the experiment failed (TrainerFailed: mend &lt;b&gt;it&lt;/b&gt;)';
    expect(page.split(told).length).toBeGreaterThan(2);
    expect(words).toContain(told);
    expect(page).not.toMatch(/undefined|NaN|<b>it/u);
  },
);
