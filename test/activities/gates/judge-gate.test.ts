import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createJudgeGate } from '../../../activities/gates/judge-gate.ts';
import type { OrchestratorActivities } from '../../../activities/contract.ts';
import type { Store } from '../../../activities/store/store.ts';
import { summaryOf } from '../../../activities/judge/judge-pairs.ts';
import type { JudgedPair } from '../../../domain/judging.ts';
import { loadRecipe } from '../../../config/load-recipe.ts';
import type { ArtefactRef, DataReport, EvaluatedItem, EvaluationSummary } from '../../../domain/records.ts';
import { countItems } from '../../../domain/evaluation.ts';
import { startTestS3 } from '../../setup/s3.ts';
import type { TestS3 } from '../../setup/s3.ts';

let s3: TestS3;
let store: Store;
beforeAll(async () => {
  s3 = await startTestS3();
  store = s3.newStore();
});
afterAll(() => s3.stop());

const n = 687;
/** The first `correct` items are right; 46 % of the truths are yes. */
async function evaluation(
  name: string,
  correct: number,
  templateDigest = 'direct-template',
): Promise<EvaluationSummary> {
  const items = Array.from({ length: n }, (_, index): EvaluatedItem => {
    const truth = index % 100 < 46 ? 'yes' : 'no';
    const right = index < correct;
    const answer = right ? truth : truth === 'yes' ? 'no' : 'yes';
    return { id: `q${index}`, truth, answer, correct: right, finish: 'stop', text: answer };
  });
  const ref = await store.putRows(`runs/gate/${name}.jsonl`, items);
  return { name, items: ref, ...countItems(items), templateDigest, adapterSha256: 'a' };
}

const adapter: ArtefactRef = { uri: 's3://ratchet/a/manifest.json', sha256: 'adapter-digest', bytes: 1, rows: 0 };
const collapsed: DataReport = {
  steps: [
    {
      name: 'drop-disagreements',
      before: { yes: 91, no: 109 },
      after: { yes: 39, no: 98 },
      removed: [{ reason: 'disagreed', counts: { yes: 52, no: 11 } }],
    },
  ],
};
type Input = Parameters<OrchestratorActivities['judgeGate']>[0];
const input = (more: Partial<Input> & Pick<Input, 'gate' | 'evaluations' | 'roles'>): Input => ({
  scope: { run: 'gate', phase: more.gate, attempt: 1 },
  recipe: loadRecipe({ recipe: 'strategyqa-phi35' }).recipe,
  dataReport: collapsed,
  trainedTemplateDigest: 'reasoning-template',
  adapter,
  fixesLeft: 2,
  ...more,
});

describe('judgeGate', () => {
  it('finds the four causes of the reference run from its counts, and recommends their remedies', async () => {
    const evaluations = [
      await evaluation('A1/direct', 408),
      await evaluation('B1/reasoning', 340, 'reasoning-template'),
      await evaluation('B1/direct', 354),
    ];
    const evidence = await createJudgeGate(store)(
      input({ gate: 'B', evaluations, roles: { candidate: 'B1/direct', direct: 'B1/direct', phaseA: 'A1/direct' } }),
    );
    expect(evidence.verdict).toBe('fail');
    expect(evidence.criteria[0]).toMatchObject({ n, counts: { onlyNew: 0, onlyOld: 54 } });
    const found = evidence.diagnosis.filter((finding) => finding.found).map(({ cause }) => cause);
    expect(found).toEqual(
      expect.arrayContaining(['class-imbalance', 'lost-to-filtering', 'format-mismatch', 'no-cot-benefit']),
    );
    expect(evidence.recommendation).toMatchObject({
      choice: 'fix',
      remedies: { balance: 'upsample', sharedTemplate: true },
    });
    expect(evidence.evaluations.map(({ name }) => name).sort()).toEqual(['A1/direct', 'B1/direct', 'B1/reasoning']);
  });

  it('shows evaluations without a role beside the others', async () => {
    const evaluations = [
      await evaluation('A1/direct', 400),
      await evaluation('C1/reasoning', 500, 'reasoning-template'),
      await evaluation('C1/no-draft', 450),
      await evaluation('C1/shuffled-draft', 440),
      await evaluation('C1/direct', 430),
    ];
    const evidence = await createJudgeGate(store)(
      input({
        gate: 'C',
        evaluations,
        roles: { candidate: 'C1/reasoning', direct: 'C1/direct', noDraft: 'C1/no-draft', phaseA: 'A1/direct' },
      }),
    );
    expect(evidence.verdict).toBe('pass');
    expect(evidence.evaluations.map(({ name }) => name)).toContain('C1/shuffled-draft');
  });

  it('a later round is held against the model that it started from, and what did not gain is skipped', async () => {
    const evaluations = [
      await evaluation('A1/direct', 380),
      await evaluation('C1/reasoning', 500, 'reasoning-template'),
      await evaluation('C1/direct', 430),
      await evaluation('C2/reasoning', 503, 'reasoning-template'),
      await evaluation('C2/no-draft', 450),
      await evaluation('C2/direct', 400),
    ];
    const later = (candidate: string) =>
      createJudgeGate(store)(
        input({
          gate: 'C',
          scope: { run: 'gate', phase: 'C', attempt: 2 },
          round: { number: 2, try: 1 },
          evaluations,
          roles: { candidate, direct: 'C2/direct', phaseA: 'A1/direct', phaseC: 'C1/reasoning' },
        }),
      );
    const evidence = await later('C2/reasoning');
    expect(evidence).toMatchObject({
      round: { number: 2, try: 1 },
      verdict: 'inconclusive',
      criteria: [{ criterion: { metric: 'gain', over: 'phaseC', atLeast: 0 }, counts: { onlyNew: 3, onlyOld: 0 } }],
      options: ['approve', 'retry', 'skip', 'abort'],
      recommendation: { choice: 'skip' },
    });
    expect(evidence.criteria[0]?.text).toContain('of the round before');
    const forgotten = evidence.diagnosis.find(({ cause }) => cause === 'forgetting');
    expect(forgotten, 'direct answers of the round before are the control').toMatchObject({ found: true });
    expect(await later('C2/no-draft')).toMatchObject({ verdict: 'fail', recommendation: { choice: 'skip' } });
  });

  it('its digest changes with evaluations, adapter, templates and criteria, and with nothing else', async () => {
    const a = await evaluation('A1/direct', 408);
    const base = input({ gate: 'A', evaluations: [a], roles: { candidate: 'A1/direct' } });
    const digest = async (more: Partial<Input>): Promise<string> =>
      (await createJudgeGate(store)({ ...base, ...more })).digest;
    const first = await digest({});
    expect(await digest({ fixesLeft: 0 })).toBe(first);
    const stricter = {
      ...base.recipe,
      gates: {
        ...base.recipe.gates,
        A: { criteria: [{ metric: 'accuracy', atLeast: 0.61, confidence: 0.95 } as const] },
      },
    };
    const others = await Promise.all([
      digest({ adapter: { ...adapter, sha256: 'other' } }),
      digest({ trainedTemplateDigest: 'other' }),
      digest({ recipe: stricter }),
      digest({ evaluations: [await evaluation('A1/direct', 409)] }),
    ]);
    expect(new Set([first, ...others]).size).toBe(5);
  });

  it('counts the verdicts of a judge again, and refuses what they do not say', async () => {
    const pairs = Array.from({ length: 40 }, (_, index): JudgedPair => {
      const won = index < 30;
      return {
        ...{ id: `q${index}`, question: 'Q?', before: 'Why?', after: 'How?', beforeChars: 4, afterChars: 4 + index },
        ...{ by: 'judge', judgements: [], flipped: null, verdict: won ? 'win' : 'loss' },
      };
    });
    const verdicts = await store.putRows('runs/gate/C-1/verdicts.jsonl', pairs);
    const judge = {
      ...{ name: 'm', promptDigest: 'p', temperature: 0, maxTokens: 300 },
      ...{ bothOrders: true, structuredOutput: true },
    };
    const questionQuality = { ...summaryOf(judge, pairs), verdicts, drafts: verdicts };
    const { recipe } = loadRecipe({ recipe: 'strategyqa-phi35' });
    const criteria = [{ metric: 'question-quality', atLeast: 0.1, confidence: 0.95 } as const];
    const asked = input({
      gate: 'C',
      recipe: { ...recipe, gates: { ...recipe.gates, C: { criteria } } },
      evaluations: [await evaluation('C1/reasoning', 500)],
      roles: { candidate: 'C1/reasoning' },
      experiments: { questionQuality },
    });
    const evidence = await createJudgeGate(store)(asked);
    expect(evidence).toMatchObject({ verdict: 'pass', questionQuality });
    expect(evidence.criteria[0]).toMatchObject({ n: 40, counts: { onlyNew: 30, onlyOld: 10 } });
    const compared = { ...questionQuality.compared, wins: 35, losses: 5 };
    const forged = { questionQuality: { ...questionQuality, compared } };
    await expect(createJudgeGate(store)({ ...asked, experiments: forged })).rejects.toMatchObject({
      type: 'ArtefactDamaged',
    });
  });

  it('refuses counts that are not those of the items, and roles that were not evaluated', async () => {
    const a = await evaluation('A1/direct', 408);
    const judge = createJudgeGate(store);
    await expect(
      judge(input({ gate: 'A', evaluations: [{ ...a, correct: 600 }], roles: { candidate: 'A1/direct' } })),
    ).rejects.toThrow('evaluation A1/direct says 600/687, its items 408/687');
    await expect(judge(input({ gate: 'A', evaluations: [a], roles: { candidate: 'A2/direct' } }))).rejects.toThrow(
      'asks for evaluation A2/direct, which was not made: A1/direct',
    );
  });
});
