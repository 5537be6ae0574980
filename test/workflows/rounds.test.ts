import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ProgrammeState } from '../../domain/programme.ts';
import { decideUpdate } from '../../workflows/messages.ts';
import { approve, startHarness, status, untilGate } from './programme-harness.ts';

let harness: Awaited<ReturnType<typeof startHarness>>;
beforeAll(async () => {
  harness = await startHarness();
});
afterAll(() => harness.stop());

const rounds = (most: number, more: object = {}) => ({
  gates: { policy: 'recommended' },
  phaseC: { rounds: most, chosen: 'full-response', ...more },
});
const skipped = { verdict: 'fail', recommendation: { choice: 'skip', reason: 'no gain' } } as const;
const ofPhaseC = ({ phases }: ProgrammeState) =>
  phases
    .filter(({ phase }) => phase === 'C')
    .map(({ attempt, round, outcome }) => [attempt, round?.number ?? 1, round?.try ?? attempt, outcome]);

describe('rounds of Phase C', () => {
  test('each is drafted, asked, paired and trained by what the one before promoted; one that does not pass is the last', async () => {
    await harness.scenario({ recipe: rounds(5), gates: { C3: skipped } }, async (run, { calls }) => {
      expect(await run.result()).toMatchObject({
        stage: 'done',
        promoted: { phase: 'C', attempt: 2, adapter: { uri: 's3://fake/adapter-C2' } },
        conclusion: expect.stringContaining('attempt 2 (round 2)') as string,
        spent: { teacherCalls: 3, teacherUsd: 0.75 },
      });
      const state = await status(run);
      expect(ofPhaseC(state)).toEqual([
        [1, 1, 1, 'promoted'],
        [2, 2, 1, 'promoted'],
        [3, 3, 1, 'rejected'],
      ]);
      const inputs = (activity: string) => calls.filter((call) => call.activity === activity).map(({ input }) => input);
      expect(inputs('trainDpo').map(({ adapter }) => adapter)).toMatchObject([
        { uri: 's3://fake/adapter-B1' },
        { uri: 's3://fake/adapter-C1' },
        { uri: 's3://fake/adapter-C2' },
      ]);
      expect(inputs('generateDrafts').slice(2)).toMatchObject([
        {
          scope: { phase: 'C', attempt: 2 },
          adapter: { uri: 's3://fake/adapter-C1' },
          questions: { uri: 's3://fake/train' },
        },
        { scope: { phase: 'C', attempt: 3 }, adapter: { uri: 's3://fake/adapter-C2' } },
      ]);
      const stages = inputs('askTeacher').map(({ scope }) => (scope as { attempt: number }).attempt);
      expect(new Set(stages).size, 'no stage overwrites the responses of another').toBe(3);
      const evaluated = inputs('evaluate').filter(({ name }) => String(name).endsWith('/reasoning'));
      expect(new Set(evaluated.map(({ drafts }) => (drafts as { uri: string }).uri)).size).toBe(1);
    });
  });

  test('a later gate has criteria, roles and evidence of its own', async () => {
    await harness.scenario({ recipe: rounds(2) }, async (run, { calls }) => {
      await run.result();
      const [first, second] = calls.filter(({ input }) => input['gate'] === 'C').map(({ input }) => input);
      expect(first).not.toHaveProperty('round');
      expect(first?.['roles']).not.toHaveProperty('phaseC');
      expect(second).toMatchObject({
        round: { number: 2, try: 1 },
        roles: { candidate: 'C2/reasoning', phaseC: 'C1/reasoning', phaseB: 'B1/direct', noDraft: 'C2/no-draft' },
      });
      const digests = (await status(run)).phases.map(({ evidence }) => evidence?.digest);
      expect(new Set(digests).size).toBe(digests.length);
    });
  });

  test('where only the final answer is taken the responses stay, and nobody is asked again', async () => {
    await harness.scenario({ recipe: rounds(2, { chosen: 'final-answer' }) }, async (run, { calls }) => {
      expect((await run.result()).spent.teacherCalls).toBe(1);
      const pairs = calls.filter(({ activity }) => activity === 'buildPairs').map(({ input }) => input);
      expect(pairs.map(({ responses }) => responses)).toEqual([pairs[0]?.['responses'], pairs[0]?.['responses']]);
      expect(pairs[1]?.['scope']).toMatchObject({ phase: 'C', attempt: 2 });
      expect((await status(run)).phases.at(-1)?.round).toMatchObject({
        number: 2,
        drafts: { uri: 's3://fake/drafts-train' },
      });
    });
  });

  test('a round that is repeated, and one that was overridden, which is the last', async () => {
    const inconclusive = { verdict: 'inconclusive', recommendation: { choice: 'skip', reason: 'open' } } as const;
    const recipe = { ...rounds(5), gates: { policy: 'auto' } };
    await harness.scenario({ recipe, gates: { C2: inconclusive, C3: inconclusive } }, async (run) => {
      await untilGate(run, 'C', 2);
      await run.executeUpdate(decideUpdate, { args: [{ gate: 'C', choice: 'retry', by: 'test' }] });
      await untilGate(run, 'C', 3);
      await run.executeUpdate(decideUpdate, { args: [{ gate: 'C', choice: 'approve', by: 'test', note: 'seen' }] });
      expect(await run.result()).toMatchObject({ stage: 'done', promoted: { attempt: 3, override: true } });
      expect(ofPhaseC(await status(run))).toEqual([
        [1, 1, 1, 'promoted'],
        [2, 2, 1, 'rejected'],
        [3, 2, 2, 'promoted-by-override'],
      ]);
    });
  });

  test('abort stops the run where it was; without rounds there is one', async () => {
    await harness.scenario({ recipe: { phaseC: { rounds: 2 } } }, async (run) => {
      for (const gate of ['A', 'B', 'C'] as const) {
        await untilGate(run, gate);
        await approve(run, gate);
      }
      await untilGate(run, 'C', 2);
      await run.executeUpdate(decideUpdate, { args: [{ gate: 'C', choice: 'abort', by: 'test' }] });
      expect(await run.result()).toMatchObject({ stage: 'stopped', promoted: { phase: 'C', attempt: 1 } });
    });
    await harness.scenario({ recipe: { gates: { policy: 'recommended' } } }, async (run, { calls }) => {
      expect(await run.result()).toMatchObject({ stage: 'done', promoted: { phase: 'C', attempt: 1 } });
      expect(calls.filter(({ activity }) => activity === 'generateDrafts')).toHaveLength(2);
    });
  });
});
