import { describe, expect, it } from 'vitest';
import type { Lineage } from '../../domain/lineage.ts';
import type { ProgrammeState } from '../../domain/programme.ts';
import { referenceRun } from '../activities/reports/reference-run.ts';
import { ratchet } from './fake-context.ts';

const { state } = referenceRun();
const at = (run: string) => (each: ProgrammeState['phases'][number]) => ({
  ...each,
  adapter: {
    ...each.adapter,
    uri: `s3://ratchet/runs/${run}/${each.phase}-${String(each.attempt)}/adapter/manifest.json`,
  },
});
const run: ProgrammeState = { ...state, run: 'r1', phases: state.phases.map(at('r1')) };
const lineage = (line: string[], states: ProgrammeState[] = [run]) =>
  ratchet(['lineage', ...line], {
    programmes: { status: (name) => Promise.reject(new Error(`no run ${name}`)) },
    context: { storedState: (name) => Promise.resolve(states.find((each) => each.run === name) ?? null) },
  });
const json = async (line: string[], states?: ProgrammeState[]) =>
  JSON.parse((await lineage([...line, '--json'], states)).out) as Lineage;

describe('lineage', () => {
  it('goes from the model back to rows, responses, verdicts and decisions; what was rejected is no ancestor', async () => {
    const found = await json(['r1']);
    expect(found.steps.map(({ attempt, outcome }) => `${attempt} ${outcome}`)).toEqual(
      run.phases
        .filter(({ outcome }) => outcome.startsWith('promoted'))
        .map((each) => `${each.phase}${String(each.attempt)} ${each.outcome}`),
    );
    expect(found.model).toEqual(found.steps.at(-1)?.adapter);
    expect(found.runs[0]).toMatchObject({
      questions: { train: run.data?.train },
      teacher: { name: run.teacher?.name, responses: run.teacher?.responses },
    });
    for (const step of found.steps) {
      expect(step.gate?.criteria.length).toBeGreaterThan(0);
      expect(step.decisions).not.toEqual([]);
      expect(step.corpus.uri).toContain('s3://');
    }
  });
  it('an attempt that was rejected has a lineage too, by name and by the URI of its adapter', async () => {
    const named = await json(['r1/B1']);
    expect(named.steps.map(({ attempt }) => attempt)).toEqual(['A1', 'B1']);
    expect(await json(['s3://ratchet/runs/r1/B-1/adapter/manifest.json'])).toEqual(named);
    expect(await json(['s3://ratchet/runs/r1/B-1/adapter'])).toEqual(named);
  });
  it('follows a run back to the one that it started from, whose decisions promoted the phases taken over', async () => {
    const younger: ProgrammeState = {
      ...run,
      run: 'r2',
      from: { run: 'r1', at: 'phaseC' },
      phases: [
        ...run.phases.filter(({ phase }) => phase !== 'C'),
        ...run.phases.filter(({ phase }) => phase === 'C').map(at('r2')),
      ],
      decisions: run.decisions.filter(({ gate }) => gate === 'C'),
    };
    const found = await json(['r2'], [run, younger]);
    expect(found.steps.map(({ run: owner }) => owner)).toEqual(['r1', 'r1', 'r2']);
    expect(found.steps.map(({ decisions }) => decisions.length)).toEqual(
      (await json(['r1'])).steps.map(({ decisions }) => decisions.length),
    );
    expect(found.runs.map(({ run: each }) => each)).toEqual(['r2', 'r1']);
  });
  it('marks a gate that was overridden', async () => {
    const overridden: ProgrammeState = {
      ...run,
      phases: run.phases.map((each) => (each.phase === 'A' ? { ...each, outcome: 'promoted-by-override' } : each)),
    };
    const { out } = await lineage(['r1'], [overridden]);
    expect(out).toContain('A gate on the way did not pass and was overridden.');
    expect(out).toContain('Phase A1 of r1: promoted-by-override');
    expect(await json(['r1/B2'], [overridden])).toMatchObject({ overridden: true });
    expect(await json(['r1/B2'])).toMatchObject({ overridden: false });
  });
  it('a run that promoted nothing has the base; what is not there is refused', async () => {
    const bare: ProgrammeState = { ...run, phases: [], promoted: null };
    expect((await lineage(['r1'], [bare])).out).toContain('the base: nothing was promoted');
    expect(await lineage(['r1/B9'])).toMatchObject({ code: 2, err: expect.stringContaining('r1/B1') as string });
    expect(await lineage(['hf://x/y'])).toMatchObject({ code: 2 });
  });
});
