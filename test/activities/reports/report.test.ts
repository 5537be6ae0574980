import { mkdtemp, readFile, readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { describeBudget } from '../../../activities/gates/budget-evidence.ts';
import { createReportActivities } from '../../../activities/reports/create-report-activities.ts';
import { Recipe } from '../../../config/recipe.ts';
import type { ArtefactRef } from '../../../domain/records.ts';
import { judgedPairs, questionQuality } from './reference-quality.ts';
import { referenceRun } from './reference-run.ts';
import { now, render } from './rendered.ts';

describe('the report of the reference run', () => {
  let report: Awaited<ReturnType<typeof render>>;
  beforeAll(async () => {
    report = await render(referenceRun());
  });

  it('shows accuracy by phase with intervals, and the majority share', () => {
    expect(
      report.data.accuracies.filter(({ headline }) => headline).map(({ name, accuracy }) => [name, accuracy.successes]),
    ).toEqual([
      ['base/direct', 371],
      ['A1/direct', 408],
      ['B1/direct', 354],
      ['B2/reasoning', 486],
      ['C1/reasoning', 507],
    ]);
    expect(report.words).toContain('59.4 % 55.7–63.0 % 408/687');
    expect(report.data.majority).toBeCloseTo(371 / 687);
  });

  it('shows every gate with criteria, diagnosis and who decided when and why, refused decisions too', () => {
    expect(report.words).toContain('−7.9 points');
    expect(report.words).toMatch(/found: lost to filtering 63 of 200 responses/);
    expect(report.words).toMatch(/approve refused Gate B, Charles, by update, 2026-03-02 12:36 UTC/);
    expect(report.words).toMatch(/fix with filtering keep-all, balance upsample, .*Ada Lovelace/);
    expect(report.words).toMatch(/did you mean choice\?/);
  });

  it('marks an override loudly, at the top and at its gate', () => {
    expect(report.page).toContain('<strong>Gate C was overridden.</strong>');
    expect(report.page).toContain('class="card overridden"');
  });

  it('shows what the judge found, with a pair of each kind and its reasons, and its money', async () => {
    const run = referenceRun();
    const last = run.state.phases.at(-1);
    if (last === undefined) throw new Error('the reference run has phases');
    const quality = questionQuality();
    last.experiments = { questionQuality: quality };
    run.files.set(quality.verdicts.uri, judgedPairs());
    Object.assign(run.state.spent, { judgeUsd: 0.12, judgeCalls: 24 });
    const { words, data } = await render(run);
    expect(words).toContain('7 wins, 2 losses, 3 ties of 12: +41.7 points');
    expect(words).toContain('judge simulated-judge, prompts abcdef012345, temperature 0');
    expect(data.questionQuality[0]?.pairs.map(({ verdict, flipped }) => flipped ?? verdict)).toEqual([
      'win',
      'loss',
      'first',
    ]);
    expect(words).toMatch(/tie: it flipped with the order [\s\S]* Judge, before shown first: first It comes first\./);
    expect(words).toContain('Judge, 24 calls $0.12');
    run.files.delete(quality.verdicts.uri);
    expect((await render(run)).words).toContain('Verdicts could not be read: no such object');
    expect(report.words).not.toContain('Question quality');
  });

  it('says of an adapter that it is not exact, and why, and of no other', async () => {
    const run = referenceRun();
    const [first] = run.state.phases;
    if (first === undefined) throw new Error('the reference run has phases');
    first.inexact = 'resumed at step 6 under other arithmetic (processes 2 → 1)';
    const { words } = await render(run);
    expect(words).toMatch(/A is not bit for bit .* interrupted would give: resumed at step 6 .*\(processes 2 → 1\)/u);
    expect(report.words).not.toContain('bit for bit');
  });

  it('shows class balance around every filter, and what was removed', () => {
    expect(report.words).toMatch(
      /teacher agrees with the truth 45\.5 % yes 91 \/ 109 28\.5 % yes 39 \/ 98 63 teacher disagreed 52 yes \/ 11 no/,
    );
    expect(report.words).toMatch(/upsample the rarer class .* added 18 18 yes \/ 0 no/);
  });

  it('shows the experiments of Phase C with what the plan asks of each, and what answers rest on', () => {
    expect(report.words).toMatch(
      /Without drafts full draft minus no draft 687 \+2\.6 points .* ≥ \+3 points \? inconclusive/u,
    );
    expect(report.words).toMatch(
      /Drafts of other questions no draft minus shuffled draft 687 \+1\.9 points .* ≥ 0 points/u,
    );
    expect(report.words).toMatch(/Attribution share on the draft, after DPO 100 4\d\.\d % .* ≥ 20 % ✓ pass/u);
    expect(report.words).toMatch(/after minus before DPO 100 \+1\d\.\d points .* &lt; 0\.001 – –/u);
    expect(report.words).toContain('completeness missed by 0.0 % of the mass');
    const [experiments] = report.data.experiments;
    expect(experiments).toMatchObject({ phase: 'C', attempt: 1, samples: [{}, {}, {}] });
    expect(experiments?.samples[0]?.tokens.map(({ text }) => text).join('')).toContain(
      'Student draft: Answer: No - größer 🍐.',
    );
    expect(report.page).toMatch(
      /<span class="token (?:for|against) draft" style="--weight: [01]\.\d\d"> größer<\/span>/u,
    );
    expect(report.words).toMatch(/length gap Corpus of C 200 59\.0 % \(118\/200\) 2 41 88 −47/u);
  });

  it('shows what losses cost, with and without their kinds', () => {
    // Phase C is of a version that only counted.
    expect(report.words).toMatch(
      /B 1 host or trainer lost 1 1 3 42 s 27 min \$0\.16 C – 1 0 4 0 s 0 s \$0 Together 1 host or trainer lost 2 1 7 42 s 27 min \$0\.16/,
    );
    expect(report.data.losses.run).toMatchObject({ lost: 2, preemptions: 1, stepsRedone: 7, gpuSecondsLost: 1620 });
    expect(report.data.losses.run.usdLost).toBeCloseTo((1620 / 3600) * 0.35);
  });

  it('compares attempts, curves, costs and the recipe', () => {
    for (const words of [
      'Fixes compared',
      'Reward margin',
      'Log-probabilities of the pairs',
      'Time and cost against the plan',
      'budget.gpuHourUsd',
    ])
      expect(report.words).toContain(words);
    expect(report.data.costs.gpuUsd).toBeCloseTo(8.9 * 0.35);
    expect(report.data.recipe.differences.map(({ field }) => field)).toEqual([
      'data.source',
      'gates.A.criteria',
      'budget.gpuHourUsd',
    ]);
    expect(report.data.phases.find(({ phase }) => phase === 'C')?.curve?.points.length).toBeGreaterThan(100);
  });

  it('holds what was spent against the estimate, and shows who raised the cap and when it was near', async () => {
    // $0.0214 of $0.0352 for the teacher, $3.11 of 7 h at $0.35, together $3.14 of $2.49; 8.9 of 7 GPU-hours.
    expect(report.words).toMatch(/Teacher, 200 calls \$0\.0214 \$0\.0352 0\.61 × \$1\.20 –/);
    expect(report.words).toMatch(
      /GPU, 8 h 54 min \$3\.11 \$2\.45 1\.3 × – – Together \$3\.14 \$2\.49 1\.3 × – \$5\.00/,
    );
    expect(report.words).toMatch(/GPU-hours 8\.9 7 1\.3 ×/);
    expect(report.words).not.toMatch(/cap (was raised|is near)/);
    const run = referenceRun();
    const at = run.state.startedAt;
    const spent = { teacherUsd: 4.9, teacherCalls: 200, judgeUsd: 0.05, judgeCalls: 12, gpuSeconds: 0 };
    const evidence = await describeBudget({
      ...{ run: 'r', attempt: 1, stage: 'phaseB', capUsd: 5, spent, gpuHourUsd: 0.35 },
      news: { cost: {}, nextUsd: 0.2, restUsd: null },
    });
    run.state.spent = spent;
    run.state.budget = { capUsd: 12.5, warnings: [{ at, spentUsd: 4.1, capUsd: 5 }], reached: [evidence] };
    run.state.decisions.push({
      ...{ gate: 'budget', choice: 'raise', capUsd: 12.5, by: 'Ada Lovelace', at, attempt: 1, accepted: true },
      ...{ override: false, source: 'update' },
    });
    const { words } = await render(run);
    expect(words).toMatch(/Gate budget .*\$4\.95 of \$5\.00 are spent: teacher \$4\.90, judge \$0\.0500, GPU \$0/);
    expect(words).toMatch(/raise to \$12\.50 Gate budget, Ada Lovelace/);
    expect(words).toMatch(/The cap was raised from \$5\.00 to \$12\.50/);
    expect(words).toMatch(/The cap is near: \$4\.10 of \$5\.00 \(82 %\)/);
    expect(words).toMatch(/Judge, 12 calls \$0\.0500/);
  });

  it('says simulated where the teacher was, and only there', async () => {
    expect(report.words).not.toMatch(/simulated/);
    const { words, data } = await render(referenceRun({ teacher: 'gpt-4.1-nano (simulated)' }));
    expect(words).toMatch(/The teacher was simulated/);
    expect(words).toMatch(/Teacher \(simulated\), 200 calls/);
    expect(data.teacher).toEqual({ name: 'gpt-4.1-nano (simulated)', simulated: true, attempts: 1 });
  });

  it('needs nothing from elsewhere and runs no script', () => {
    expect(report.page).toContain(`content="default-src 'none'; style-src 'unsafe-inline'`);
    expect(report.page).not.toMatch(/<script|<link|<img|<iframe|javascript:|@import|url\(|\son\w+=/iu);
    expect([...report.page.matchAll(/\b(?:href|src)="([^"]*)"/gu)].every(([, target]) => target?.startsWith('#'))).toBe(
      true,
    );
    expect(
      [...report.page.matchAll(/https?:\/\/[^"<\s]*/gu)]
        .map(([address]) => address)
        .filter((address) => !address.startsWith('http://www.w3.org/')),
    ).toEqual([]);
  });

  it('has plots with shapes in them', () => {
    const plots = [...report.page.matchAll(/<svg[\s\S]*?<\/svg>/gu)].map(([svg]) => svg);
    expect(plots.length).toBe(20);
    for (const svg of plots) {
      expect(svg).toMatch(/<path[^>]* d="M/);
      expect(svg).not.toMatch(/NaN|undefined/);
    }
  });
});

describe('a run that ended early', () => {
  it('is reported as far as it came', async () => {
    const run = referenceRun();
    Object.assign(run.state, {
      phases: [],
      decisions: [],
      unreadable: [],
      promoted: null,
      baseEvaluation: null,
      teacher: null,
      drafts: null,
      data: null,
      stage: 'failed',
      conclusion: 'Failed (no such file) during data.',
    });
    const { words, data } = await render(run);
    expect(words).toContain('Failed (no such file) during data.');
    expect(words).toContain('No phase was promoted');
    expect(data.samples).toEqual([]);
  });

  it('loses the curve, not the report, when metrics are gone', async () => {
    const run = referenceRun();
    for (const uri of run.files.keys()) if (/metrics|items|attributions/u.test(uri)) run.files.delete(uri);
    const { words, data } = await render(run);
    expect(data.experiments).toMatchObject([{ attribution: null, samples: [] }]);
    expect(words).toContain('full draft minus no draft');
    expect(words).toContain('Metrics could not be read: no such object');
    expect(words).toContain('Accuracy by phase');
  });
});

it('writeReport leaves the same two files in S3 and on disk', async () => {
  const { state, rows } = referenceRun();
  const stored = new Map<string, string>();
  const putText = (key: string, text: string): Promise<ArtefactRef> => {
    stored.set(key, text);
    return Promise.resolve({ uri: `s3://ratchet/${key}`, sha256: '', bytes: text.length, rows: 0 });
  };
  const home = await mkdtemp(join(tmpdir(), 'ratchet-report-'));
  const store = { readRows: rows as never, putText };
  const written = await createReportActivities({ store, home, now: () => now }).writeReport({ state });
  expect(written.html.uri).toBe(`s3://ratchet/runs/${state.run}/report.html`);
  expect(written.path).toBe(join(home, 'reports', state.run, 'report.html'));
  expect(await readFile(written.path, 'utf8')).toBe(stored.get(`runs/${state.run}/report.html`));
  expect(JSON.parse(await readFile(join(home, 'reports', state.run, 'report.json'), 'utf8'))).toEqual(
    JSON.parse(stored.get(`runs/${state.run}/report.json`) ?? ''),
  );
  expect((await readdir(join(home, 'reports', state.run))).sort()).toEqual(['report.html', 'report.json']);
});

describe('a recipe of another version', () => {
  const { state, rows } = referenceRun();
  const own = Recipe.parse(state.recipe);
  const reportOf = (recipe: unknown) => render({ state: { ...state, recipe }, rows });

  it('costs the fields that cannot be read, not the others', async () => {
    const { seed, ...older } = own;
    const { data: report, words } = await reportOf({
      ...older,
      seed: 'forty-two',
      ...{ quantisation: 'nf4', budget: { ...own.budget, capEur: 3 }, phaseA: { ...own.phaseA, epochs: null } },
    });
    expect(seed).toBeTypeOf('number');
    expect(report).toMatchObject({ base: own.model.base, dataSource: own.data.source, description: own.description });
    expect(report.costs).toMatchObject({ gpuHourUsd: own.budget.gpuHourUsd, recipeCapUsd: own.budget.capUsd });
    expect(report.recipe.unread.toSorted()).toEqual(['budget.capEur', 'phaseA.epochs', 'quantisation', 'seed']);
    expect(words).toMatch(/Not read: .*budget\.capEur/);
  });

  it('says so where the price of a GPU-hour cannot be read', async () => {
    const { data: report } = await reportOf({ ...own, budget: { ...own.budget, gpuHourUsd: '0.35' } });
    expect(report.costs.warnings[0]).toContain('price of a GPU-hour could not be read');
    expect(report.base).toBe(own.model.base);
  });

  it.each([null, undefined, 7, [], 'recipe', { model: null }])('%j: the report is written', async (recipe) => {
    expect((await reportOf(recipe)).page).toContain('</html>');
  });

  it('one of its own has nothing that is not read', async () => {
    expect((await reportOf(state.recipe)).data.recipe.unread).toEqual([]);
  });
});
