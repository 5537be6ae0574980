import { expect, it } from 'vitest';
import { judgeCriteria } from '../../../domain/gate-verdict.ts';
import type { ProgrammeState } from '../../../domain/programme.ts';
import { evaluated } from '../../domain/rows.ts';
import { referenceRun } from './reference-run.ts';
import { render } from './rendered.ts';

/** The report of the reference run with some of its state changed. */
function reported(change: (state: ProgrammeState) => void = () => undefined) {
  const run = referenceRun();
  change(run.state);
  return render(run);
}

const hostile = '<script>alert(1)</script>';

it('shows problems by kind, agreement of attempts and each wording, escaped', async () => {
  const { page, words } = await reported(({ teacher }) => {
    if (teacher === null) throw new Error('the reference run has a teacher');
    Object.assign(teacher.report, {
      byClass: { valid: 520, disagreed: 60, unparsable: 6, truncated: 4, refused: 1, failed: 9 },
      n: 600,
      problems: { length: 5, 'server-error': 7, 'context-too-long': 2 },
      agreement: { questions: 200, compared: 190, unanimous: 150, majorityShare: 0.912, kappa: -0.05 },
      templates: [
        {
          name: hostile,
          digest: 'c0ffee'.repeat(10),
          n: 400,
          readable: 390,
          asked: { yes: 182, no: 218 },
          right: { yes: 100, no: 200 },
        },
      ],
    });
  });
  expect(words).toMatch(/context too long 2 0\.3 % \(2\/600\) for good/u);
  expect(words).toMatch(/cut off at its token limit 5 .* server error 7 1\.2 % \(7\/600\) given up after/u);
  expect(words).toContain('no answer can be read 6 1.0 % (6/600)');
  expect(words).not.toMatch(/rate limit \d/u);
  expect(words).toContain('Attempts at a question 200 190 78.9 % (150/190) 91.2 % −0.05');
  expect(words).toMatch(
    /&lt;script&gt;alert\(1\)&lt;\/script&gt; c0ffeec0ffee 400 97\.5 % \(390\/400\) 75\.0 % \(300\/400\) 45\.5 % yes 182 \/ 218 33\.3 % yes 100 \/ 200/u,
  );
  expect(page).not.toContain(hostile);
});

it('has none of these tables where nothing went wrong and one wording asked once', async () => {
  const { words } = await reported();
  expect(words).not.toMatch(/Problems of teacher responses|Agreement across attempts|by wording/u);
});

it('shows what a verdict rests on, and the looks before an extension beside the last', async () => {
  const criteria = [{ metric: 'accuracy', atLeast: 0.55, confidence: 0.95 }] as const;
  const look = (n: number, right: number) =>
    judgeCriteria(criteria, { candidate: evaluated({ yes: n, no: n, rightYes: right, rightNo: right }) }, 2);
  const { words, data } = await reported(({ phases: [first] }) => {
    if (!first?.evidence) throw new Error('the reference run has a gate');
    const last = first.evidence;
    first.earlierEvidence = [{ ...last, verdict: 'inconclusive', criteria: look(50, 30), digest: '1'.repeat(64) }];
    first.evidence = { ...last, criteria: look(200, 130), digest: '2'.repeat(64) };
  });
  expect(data.gates[0]?.earlier.map(({ digest }) => digest[0])).toEqual(['1']);
  expect(words).toMatch(
    /Look 1, 111111111111 accuracy 100 60\.0 % 50\.2–69\.1 % 0\.1\d+ \? inconclusive Look 2, 222222222222 accuracy 400 65\.0 % 60\.2–69\.5 % [\d.e-]+ ✓ pass/u,
  );
  expect(words).toMatch(/exact one-sided p = [\d.e-]+, at most 0\.0125 passes/u);
});

it('shows exact p and bootstrap of a gain, neither where older evidence lacks them, and no looks without an extension', async () => {
  const { words } = await reported();
  expect(words).toMatch(
    /exact one-sided p = [\d.e-]+, at most 0\.05 passes; paired bootstrap [+−][\d.]+ to [+−][\d.]+ points/u,
  );
  expect(words).not.toContain('Look 1');
  const older = await reported(({ phases }) => {
    for (const { evidence } of phases)
      for (const criterion of evidence?.criteria ?? []) {
        delete criterion.exact;
        delete criterion.bootstrap;
      }
  });
  expect(older.words).not.toMatch(/one-sided p|paired bootstrap/u);
});
