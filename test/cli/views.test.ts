import { describe, expect, it } from 'vitest';
import { summary } from '../../cli/summary.ts';
import type { Snapshot } from '../../cli/temporal/snapshot.ts';
import { paintFor, plainLength, textTable } from '../../cli/terminal.ts';
import { bar } from '../../cli/watch/activity-words.ts';
import { changesBetween } from '../../cli/watch/changes.ts';
import { liveView } from '../../cli/watch/live-view.ts';
import { createScreen, cutLine } from '../../cli/watch/screen.ts';
import { atGateB, finished, training } from './fake-context.ts';

const plain = paintFor(false);

describe('live view', () => {
  it('shows what is done, what runs with bar, loss, speed and ETA, and what comes', () => {
    expect(liveView(training(50), plain)).toEqual([
      'strategyqa-phi35-20260302  strategyqa-phi35 · 3 min 7 s',
      '✓ Data           200 training, 687 held-out questions',
      '✓ Drafts         59.0 % (118/200) right, 7.0 % (14/200) truncated',
      '✓ Teacher        68.5 % (137/200) agree with the truth · gpt-4.1-nano',
      '▶ Phase A        training ████████░░░░░░░░ A1 · 50/100 · loss 0.48 · 1,240 tokens/s · checkpoint 10 · ETA 2 min',
      '· Phase B',
      '· Phase C',
      'device 8 h 54 min · teacher 200 calls, $0.0214',
    ]);
  });

  it('shows the batches of the teacher that are waited for, and tells each tenth of them', () => {
    const before = training(0);
    before.state = { ...before.state, stage: 'teacher', teacher: null };
    const waiting = (done: number): Snapshot => ({
      ...before,
      activities: [],
      batches: {
        round: 2,
        batches: [
          { id: 'batch_a', status: 'completed', done: 2500, total: 2500 },
          { id: 'batch_b', status: 'in_progress', done, total: 7500 },
        ],
        nextLookAt: '2026-03-02T16:40:00.000Z',
      },
    });
    const words = 'waiting for the teacher';
    expect(liveView(waiting(700), plain).slice(3, 6)).toEqual([
      `▶ Teacher        ${words} █████░░░░░░░░░░░ 3,200/10,000 in 2 batches, round 2 · next look 16:40 UTC`,
      '                 batch_a completed 2,500/2,500',
      '                 batch_b in_progress 700/7,500',
    ]);
    const told = (from: Snapshot, to: Snapshot) => changesBetween(from, to).map(({ text }) => text);
    expect(told(before, waiting(700))).toEqual([
      `${words}: 3,200/10,000 in 2 batches, round 2 · next look 16:40 UTC: batch_a completed 2,500/2,500, batch_b in_progress 700/7,500`,
    ]);
    expect(told(waiting(700), waiting(1400))).toEqual([]);
    expect(told(waiting(700), waiting(1600))).toEqual([
      `${words}: 4,100/10,000 in 2 batches, round 2 · next look 16:40 UTC`,
    ]);
  });

  it('shows a waiting gate, and a lost worker', () => {
    expect(liveView(atGateB(), plain).join('\n')).toMatch(
      /Gate B waits for a decision since 12:00 UTC; recommended: fix/,
    );
    const lost = training(50);
    lost.activities = lost.activities.map((activity) => ({
      ...activity,
      attempt: 3,
      running: false,
      failure: 'activity Heartbeat timeout',
    }));
    expect(liveView(lost, plain).join('\n')).toMatch(/waiting for a worker try 3 after: activity Heartbeat timeout/);
  });

  it('shows what losses cost so far, those of the training that runs included', () => {
    const third = training(50);
    third.inFlight = [
      {
        ...{ lost: 2, byKind: { notice: 1, stalled: 1 }, preemptions: 1, stepsRedone: 12 },
        ...{ secondsToNextStep: 930, gpuSecondsLost: 990 },
      },
    ];
    expect(liveView(third, plain).at(-1)).toBe(
      'cut off 2 times (1 with notice, 1 stalled) · 12 steps redone · 15 min 30 s to new steps · 16 min 30 s of GPU, $0.0963',
    );
    expect(summary(finished().state, plain).find((line) => line.startsWith('Losses'))).toBe(
      'Losses   cut off 2 times (1 host or trainer lost) · 7 steps redone · 42 s to new steps · 27 min of GPU, $0.16',
    );
  });

  it('counts tries by what was rejected, not by what is being judged', () => {
    const judging = atGateB();
    const phases = judging.state.phases.map((attempt, index) =>
      index === 1 ? { ...attempt, outcome: 'pending' as const } : attempt,
    );
    const activities = [{ id: 'r1/1', type: 'judgeGate', attempt: 1, running: true, progress: null, failure: null }];
    const view = (outcomes: typeof phases) =>
      liveView({ ...judging, activities, state: { ...judging.state, waiting: null, phases: outcomes } }, plain).find(
        (line) => line.startsWith('▶'),
      );
    expect(view(phases)).toBe('▶ Phase B        judging the gate');
    expect(view(judging.state.phases)).toBe('▶ Phase B, try 2 judging the gate');
  });

  it('tells what a hostile label would do to a terminal instead of doing it', () => {
    const hostile = training(1);
    for (const { progress } of hostile.activities) if (progress) progress.label = '\u001b[2Jgone\u202e';
    expect(liveView(hostile, plain).join('\n')).not.toMatch(/\u001b|\u202e/u);
  });
});

describe('plain lines', () => {
  it('tell each change once, and progress by tenths', () => {
    const texts = (before: Snapshot | null, now: Snapshot) => changesBetween(before, now).map(({ text }) => text);
    expect(texts(training(10), training(19))).toEqual([]);
    expect(texts(training(19), training(20))).toHaveLength(1);
    const atGate = texts(training(20), atGateB());
    expect(atGate[0]).toBe('stage: phaseB');
    expect(atGate).toContain('Gate B: fail; recommended: fix');
    expect(atGate).toContain('Gate B waits for a decision');
    expect(texts(atGateB(), atGateB())).toEqual([]);
    expect(texts(atGateB(), finished()).at(-1)).toBe('completed: The adapter of Phase C, attempt 1, is the new model.');
  });
});

describe('screen', () => {
  it('redraws over the last frame without clearing first, and only when something changed', () => {
    const written: string[] = [];
    const screen = createScreen({
      out: (text) => written.push(text),
      err: () => undefined,
      interactive: true,
      columns: () => 10,
      colour: true,
    });
    screen.draw(['a', 'b']);
    screen.draw(['a', 'b']);
    screen.draw(['a', 'a line that is too long']);
    expect(written).toHaveLength(2);
    expect(written[1]).toBe(
      '\u001b[2A\ra\u001b[K\na line th\u001b[0m\u001b[K\n\u001b[J'.replace('a line th\u001b', 'a line th\u001b'),
    );
    screen.done();
    expect(written.at(-1)).toBe('\u001b[?25h');
  });

  it('cuts by what is visible', () => {
    expect(cutLine('\u001b[31mred text\u001b[0m', 3)).toBe('\u001b[31mred\u001b[0m');
    expect(plainLength('\u001b[31mred\u001b[0m')).toBe(3);
    expect(bar(2, 4)).toBe('████');
    expect(bar(Number.NaN, 4)).toBe('░░░░');
  });
});

describe('the budget', () => {
  const before = atGateB();
  const at = '2026-03-02T10:30:00.000Z';
  const budget = { capUsd: 5, warnings: [{ at, spentUsd: 4.1, capUsd: 5 }], reached: [] };
  const near: Snapshot = { ...before, state: { ...before.state, budget } };

  it('shows what of the cap is spent, and that the cap is near', () => {
    // $0.0214 and 8.9 hours at $0.35.
    expect(liveView(near, plain).join('\n')).toMatch(/teacher 200 calls, \$0\.0214 · \$3\.14 of \$5\.00/);
    expect(liveView(near, plain).join('\n')).toContain('the cap is near: $4.10 of $5.00 (82 %) were spent');
    expect(liveView(before, plain).join('\n')).not.toMatch(/ of \$|is near/);
    expect(summary(near.state, plain).find((line) => line.startsWith('Cost'))).toMatch(/ · \$3\.14 of \$5\.00$/);
  });

  it('tells a warning once', () => {
    const told = changesBetween(before, near);
    expect(told).toEqual([
      { kind: 'budget', text: 'the cap is near: $4.10 of $5.00 (82 %) were spent at 2026-03-02 10:30 UTC' },
    ]);
    expect(changesBetween(near, near)).toEqual([]);
  });
});

describe('summary', () => {
  it('has a row per attempt with interval, verdict, time and decision, and says where the report is', () => {
    const { state } = finished();
    const report = {
      html: state.phases[0]?.corpus,
      json: state.phases[0]?.corpus,
      path: '/home/r/report.html',
    } as typeof state.report;
    const lines = summary({ ...state, report }, plain);
    expect(lines.find((line) => line.startsWith('Phase A'))).toMatch(
      /59\.4 % +55\.7–63\.0 % +408\/687 +pass +1 h 36 min +approve by policy/,
    );
    expect(lines.find((line) => line.startsWith('Phase B '))).toMatch(
      /51\.5 % .*354\/687 +fail .*fix \(filtering keep-all, balance upsample/,
    );
    expect(lines).toContain('Time     11 h 24 min, of which 8 h 54 min on the training device');
    expect(lines).toContain('Report   /home/r/report.html');
  });

  it('calls a simulated teacher simulated', () => {
    const { state } = finished();
    const simulated = { ...state, teacher: state.teacher && { ...state.teacher, name: 'gpt-4.1-nano (simulated)' } };
    expect(summary(simulated, plain).join('\n')).toMatch(/the teacher was simulated/);
  });

  it('holds for a run that failed before it had anything', () => {
    const { state } = finished();
    const early = {
      ...state,
      stage: 'failed' as const,
      phases: [],
      baseEvaluation: null,
      teacher: null,
      decisions: [],
      conclusion: 'Failed (no such file) during data.',
    };
    expect(summary(early, plain)[0]).toMatch(/failed – Failed \(no such file\)/);
  });
});

it('tables align by visible width', () => {
  expect(
    textTable(
      [
        ['a', '1', 'x'],
        ['bbb', '22', 'y'],
      ],
      [1],
    ),
  ).toEqual(['a     1  x', 'bbb  22  y']);
});
