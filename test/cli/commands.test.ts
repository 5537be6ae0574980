import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { SweepOptions, SweepReport } from '../../activities/checkpoints/sweep.ts';
import { failure } from '../../activities/failure.ts';
import { badInput } from '../../cli/problem.ts';
import type { Snapshot } from '../../cli/temporal/snapshot.ts';
import { atGateB, finished, gatesView, ratchet, training } from './fake-context.ts';

const series = (...snapshots: Snapshot[]) => {
  const left = [...snapshots];
  return () => Promise.resolve((left.length > 1 ? left.shift() : left[0]) as Snapshot);
};
describe('bad input ends with exit code 2, a message and a fix, and starts nothing', () => {
  it.each([
    [['run', 'demoo'], /no recipe "demoo".*demo/],
    [['run', 'demo', '--set', 'phaseB.lerningRate=1'], /phaseB\.lerningRate.*phaseB\.learningRate/],
    [['run', 'demo', '--set', 'phaseB.epochs=many'], /phaseB\.epochs/],
    [['run', 'demo', '--policy', 'manuel'], /Did you mean manual/],
    [['run', 'demo', '--yes', '--policy', 'manual'], /exclude each other/],
    [['run', 'demo', '--from', 'x'], /--from and --at go together/],
    [['run', 'demo', '--from', 'x', '--at', 'phaseD'], /expected phaseA, phaseB, phaseC/],
    [['run', 'demo', '--id', 'a/b'], /cannot name a run/],
    [['run'], /missing required argument 'recipe'/],
    [['wach', 'x'], /Did you mean watch/],
    [['decide', 'x', 'D', 'approve'], /expected A, B, C/],
    [['decide', 'x', 'B', 'aprove'], /Did you mean approve/],
    [['status', '--limit', '0'], /whole number/],
    [['watch', 'x', '--interval', 'soon'], /expected seconds/],
  ])('%j', async (line, message) => {
    const ran = await ratchet(line);
    expect(ran.err).toMatch(message);
    expect(ran.code).toBe(2);
    expect(ran.calls).toEqual([]);
  });

  it('as JSON on stderr with --json', async () => {
    const ran = await ratchet(['run', 'demoo', '--json']);
    expect(JSON.parse(ran.err)).toMatchObject({ error: { exitCode: 2 } });
    expect(ran.out).toBe('');
  });
});

describe('run', () => {
  it('sends the recipe by name, with the shell’s settings under --set', async () => {
    const ran = await ratchet(
      ['run', 'demo', '--detach', '--set', 'phaseB.learningRate=1e-5', '--set', 'data.samples=50', '--yes'],
      {
        env: { TRAIN_SAMPLES: '120', RANDOM_SEED: '7' },
      },
    );
    expect(ran.code).toBe(0);
    expect(ran.calls[0]).toEqual([
      'start',
      'demo-20260302-080000',
      {
        recipe: 'demo',
        overrides: { 'data.samples': 50, seed: 7, 'phaseB.learningRate': 1e-5, 'gates.policy': 'recommended' },
      },
    ]);
    expect(ran.calls.at(-1)).toEqual(['close']);
  });

  it('sends a file whole, since the worker may be on another machine', async () => {
    const file = join(mkdtempSync(join(tmpdir(), 'ratchet-')), 'mine.yaml');
    writeFileSync(file, 'name: mine\ndescription: my own\ndata: { samples: 20 }\n');
    const ran = await ratchet(['run', file, '--detach', '--id', 'r1', '--from', 'old', '--at', 'phaseB', '--json']);
    expect(ran.calls[0]).toEqual([
      'start',
      'r1',
      { recipe: { name: 'mine', description: 'my own', data: { samples: 20 } }, from: { run: 'old', at: 'phaseB' } },
    ]);
    expect(JSON.parse(ran.out)).toEqual({ run: 'r1', started: true });
  });

  it('plans without a server when DRY_RUN is set', async () => {
    const context = { programmes: () => Promise.reject(new Error('must not connect')) };
    const ran = await ratchet(['run', 'strategyqa-phi35'], { env: { DRY_RUN: 'True', OPENAI_API_KEY: 'k' }, context });
    expect(ran.code).toBe(0);
    expect(ran.out).toMatch(/Gate B +gain over phaseA ≥ \+7 points/);
    expect(ran.out).toMatch(/Cost +\$\d/);
    const json = await ratchet(['run', 'strategyqa-phi35', '--dry-run', '--json'], { context });
    expect(JSON.parse(json.out)).toMatchObject({
      dryRun: true,
      recipe: { name: 'strategyqa-phi35' },
      teacherSimulated: true,
    });
  });

  it('follows to the end and prints the table of phases', async () => {
    const ran = await ratchet(['run', 'demo', '--interval', '0.1'], {
      programmes: { snapshot: series(training(5), training(31), finished()) },
    });
    expect(ran.code).toBe(0);
    expect(ran.out).toMatch(/training: A1 · 31\/100 · loss 0\.48 · 1,240 tokens\/s · checkpoint 10 · ETA 2 min/);
    expect(ran.out).toMatch(/Phase B, try 2 +70\.7 % +67\.2–74\.0 % +486\/687/);
    expect(ran.out).toMatch(/OVERRIDE approve by Ada Lovelace/);
  });

  it.each([
    ['stopped', 'completed', 4],
    ['cancelled', 'cancelled', 4],
    ['failed', 'failed', 3],
    ['phaseA', 'terminated', 3],
  ] as const)('a run that ends as %s (%s) exits with %i', async (stage, closed, code) => {
    const last = finished();
    const ran = await ratchet(['run', 'demo'], {
      programmes: { snapshot: series({ ...last, closed, state: { ...last.state, stage } }) },
    });
    expect(ran.code).toBe(code);
  });

  it('exits with 5 at a gate when nobody can be asked, and says how to decide', async () => {
    const ran = await ratchet(['run', 'demo', '--id', 'r1'], { programmes: { snapshot: series(atGateB()) } });
    expect(ran.code).toBe(5);
    expect(ran.out).toMatch(/ratchet decide r1 B fix/);
    expect(ran.out).toMatch(/found +class-imbalance/);
  });

  it('asks on a terminal, takes the recommendation on Enter, and goes on', async () => {
    const ran = await ratchet(['run', 'demo', '--id', 'r1'], {
      interactive: true,
      answers: ['', '', 'because'],
      programmes: { snapshot: series(atGateB(), finished()), gates: () => Promise.resolve(gatesView()) },
    });
    expect(ran.code).toBe(0);
    expect(ran.calls).toContainEqual([
      'decide',
      'r1',
      expect.objectContaining({
        gate: 'B',
        choice: 'fix',
        note: 'because',
        remedies: { filtering: 'keep-all', balance: 'upsample', sharedTemplate: true },
        evidence: gatesView().open?.digest,
      }),
    ]);
  });

  it('Ctrl-C detaches, and says how to go on', async () => {
    const ran = await ratchet(['run', 'demo', '--id', 'r1'], {
      programmes: { snapshot: series(training(1)) },
      context: { interrupt: () => AbortSignal.abort('SIGINT') },
    });
    expect(ran.code).toBe(130);
    expect(ran.out).toMatch(/the run goes on.*ratchet watch r1/);
  });

  it('brings the embedded stack up, says so on stderr, and ends it with --down', async () => {
    let up = false;
    const stack = {
      embedded: () => true,
      isUp: () => up,
      upDetached: () =>
        Promise.resolve().then(() => {
          up = true;
        }),
      down: () =>
        Promise.resolve().then(() => {
          up = false;
          return ['temporal'];
        }),
    };
    const { context } = {
      context: {
        stack: {
          ...stack,
          upAttached: () => Promise.resolve(),
          doctor: () => Promise.resolve([]),
          services: () => [],
          uiAddress: () => '',
        },
      },
    };
    const ran = await ratchet(['run', 'demo', '--down', '--json'], {
      context,
      programmes: { snapshot: series(finished()) },
    });
    expect(ran.err).toMatch(/stack is not up; starting it/);
    expect(
      ran.out
        .trim()
        .split('\n')
        .map((line) => (JSON.parse(line) as { kind: string }).kind),
    ).toContain('summary');
    expect(up).toBe(false);
  });
});

describe('everything that prints gives JSON', () => {
  it.each<[string[], Parameters<typeof ratchet>[1]]>([
    [['recipes', '--json'], {}],
    [['validate', 'demo', '--json'], {}],
    [
      ['status', '--json'],
      {
        programmes: {
          list: () =>
            Promise.resolve([
              { run: 'r', recipe: 'demo', status: 'running', stage: 'phaseA', gate: '', startedAt: '', closedAt: null },
            ]),
        },
      },
    ],
    [['status', 'r1', '--json'], { programmes: { snapshot: () => Promise.resolve(finished()) } }],
    [['gates', 'r1', '--json'], { programmes: { gates: () => Promise.resolve(gatesView()) } }],
    [['cancel', 'r1', '--json'], {}],
    [
      ['report', 'r1', '--json'],
      {
        programmes: { status: () => Promise.resolve(finished().state) },
        context: { writeReport: () => Promise.resolve('/tmp/report.html') },
      },
    ],
  ])('%j', async (line, fakes) => {
    const ran = await ratchet(line, fakes);
    expect(ran.err).toBe('');
    expect(ran.code).toBe(0);
    expect(JSON.parse(ran.out)).toBeTruthy();
  });

  it('watch as lines, with evidence and the end', async () => {
    const ran = await ratchet(['watch', 'r1', '--json', '--wait', '--interval', '0.1'], {
      programmes: { snapshot: series(training(5), atGateB(), finished()) },
    });
    const kinds = ran.out
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { kind: string }).kind);
    expect(kinds).toEqual(expect.arrayContaining(['stage', 'progress', 'phase', 'gate', 'decision', 'end', 'summary']));
  });
});

describe('sweep', () => {
  const report: SweepReport = {
    ...{ dryRun: true, skipped: [], objects: 3, bytes: 68_157_440 },
    removed: [
      { folder: 'runs/r1/A-1/training-0/epoch-0001/step-000020', why: 'a lost attempt', objects: 3, bytes: 68_157_440 },
    ],
    uploads: [{ key: 'runs/r1/x', id: 'u', begun: Date.parse('2026-03-01T07:00:00Z') }],
  };
  it('says what would go; asks for seven days unless told otherwise', async () => {
    const asked: SweepOptions[] = [];
    const sweep = (options: SweepOptions) => {
      asked.push(options);
      return Promise.resolve(report);
    };
    const ran = await ratchet(['sweep', '--dry-run'], { context: { sweep } });
    expect(ran.out.split('\n')).toEqual([
      'would remove runs/r1/A-1/training-0/epoch-0001/step-000020: 3 objects, 68.2 MB, a lost attempt',
      'would abort the upload of runs/r1/x, begun 2026-03-01 07:00 UTC',
      'Together 3 objects, 68.2 MB, and 1 open upload.',
      '',
    ]);
    const json = await ratchet(['sweep', '--run', 'r1', '--older-than', '90m', '--json'], { context: { sweep } });
    expect(JSON.parse(json.out)).toEqual(report);
    expect(asked.map(({ run, olderThanMs, dryRun }) => [run, olderThanMs, dryRun])).toEqual([
      [null, 7 * 24 * 3_600_000, true],
      ['r1', 90 * 60_000, false],
    ]);
  });

  it('names what it cannot read, without a stack', async () => {
    const sweep = () => Promise.reject(failure('ArtefactDamaged', 's3://b/runs/r1/state.json is not JSON; restore it'));
    const ran = await ratchet(['sweep'], { context: { sweep } });
    expect(ran).toMatchObject({ code: 2, err: 'error: s3://b/runs/r1/state.json is not JSON; restore it\n' });
  });

  it.each(['0d', '30m', 'a week'])('refuses an age of %s', async (age) => {
    const ran = await ratchet(['sweep', '--older-than', age]);
    expect(ran).toMatchObject({ code: 2, err: expect.stringContaining('at least an hour') as unknown });
  });
});

it('report of a run that Temporal has forgotten comes from the bucket', async () => {
  const status = () => Promise.reject(badInput('There is no run r1'));
  const context = {
    storedState: () => Promise.resolve(finished().state),
    writeReport: () => Promise.resolve('/tmp/r/report.html'),
  };
  const ran = await ratchet(['report', 'r1', '--open-path'], { programmes: { status }, context });
  expect(ran.out).toBe('/tmp/r/report.html\n');
});
