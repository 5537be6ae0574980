import type { Decision, Finding, GateEvidence } from '../../../domain/gate-types.ts';
import { judgeExperiments } from '../../../domain/experiments.ts';
import { judgeCriteria, overallVerdict } from '../../../domain/gate-verdict.ts';
import type { PhaseAttempt } from '../../../domain/programme.ts';
import type { DataReport, EvaluationSummary, PhaseName } from '../../../domain/records.ts';
import { Recipe } from '../../../config/recipe.ts';
import { at, attributions, hour, metrics, step, total } from './reference-model.ts';
import type { Model, Put } from './reference-model.ts';

export const recipe = Recipe.parse({
  name: 'strategyqa-phi35',
  description: 'Self-improvement on StrategyQA: Phi-3.5-mini, taught by GPT-4.1-nano',
  data: { source: 's3://datasets/strategyqa/train.json' },
  budget: { gpuHourUsd: 0.35 },
  gates: {
    A: {
      criteria: [
        { metric: 'accuracy', atLeast: 0.55 },
        { metric: 'gain', over: 'majority', atLeast: 0, confidence: 0.9 },
      ],
    },
  },
});

/** Four attempts: A, the failing B, the fixed B, and C, with their gates; decisions go to `decisions`. */
export function fixturePhases(model: Model, decisions: Decision[], put: Put): PhaseAttempt[] {
  const attempt = (
    phase: PhaseName,
    number: number,
    dataReport: DataReport,
    evaluations: EvaluationSummary[],
    more: Pick<
      PhaseAttempt,
      'remedies' | 'outcome' | 'metrics' | 'steps' | 'trainLoss' | 'gpuSeconds' | 'losses' | 'stepsRedone' | 'ledger'
    >,
  ): PhaseAttempt => {
    const name = `${phase}${number}`;
    const rows = total(dataReport.steps.at(-1)?.after ?? { yes: 0, no: 0 });
    return {
      phase,
      attempt: number,
      corpus: { ...put(`corpora/${name}.jsonl`, []), rows },
      templateDigest: 'ab'.repeat(32),
      dataReport,
      adapter: put(`adapters/${name}/manifest.json`, []),
      evaluations,
      // As the reference run: the first Phase B was evaluated with the direct template.
      candidate: `${name}/${phase === 'A' || name === 'B1' ? 'direct' : 'reasoning'}`,
      evidence: null,
      ...more,
    };
  };
  const source = { yes: 91, no: 109 };
  const dropped = { yes: 52, no: 11 };
  const a = attempt('A', 1, { steps: [step('answers', source, source)] }, [model.evaluate('A1/direct', 408, 430, 11)], {
    remedies: null,
    outcome: 'promoted',
    metrics: metrics(put, 'A1', 19, 2.3, 0.62, 3),
    steps: 19,
    trainLoss: 0.91,
    gpuSeconds: 1.6 * hour,
    losses: 0,
    stepsRedone: 0,
  });
  const b1 = attempt(
    'B',
    1,
    {
      steps: [
        step('teacher agrees with the truth', source, { yes: 39, no: 98 }, [
          { reason: 'teacher disagreed', counts: dropped },
        ]),
      ],
    },
    [model.evaluate('B1/reasoning', 349, 430, 23), model.evaluate('B1/direct', 354, 430, 29)],
    {
      remedies: null,
      outcome: 'rejected',
      metrics: metrics(put, 'B1', 13, 1.7, 0.71, 5),
      steps: 13,
      trainLoss: 0.98,
      gpuSeconds: 1.9 * hour,
      losses: 1,
      stepsRedone: 3,
      ledger: {
        ...{ lost: 1, byKind: { 'host-lost': 1 }, preemptions: 1, stepsRedone: 3 },
        ...{ secondsToNextStep: 42, gpuSecondsLost: 1620 },
      },
    },
  );
  const remedies = { filtering: 'keep-all', balance: 'upsample', sharedTemplate: true } as const;
  const b2 = attempt(
    'B',
    2,
    {
      steps: [
        step('keep every response', source, source),
        step('upsample the rarer class', source, { yes: 109, no: 109 }),
      ],
    },
    [model.evaluate('B2/reasoning', 486, 520, 31), model.evaluate('B2/direct', 415, 430, 37)],
    {
      remedies,
      outcome: 'promoted',
      metrics: metrics(put, 'B2', 21, 1.7, 0.48, 7),
      steps: 21,
      trainLoss: 0.74,
      gpuSeconds: 2.3 * hour,
      losses: 0,
      stepsRedone: 0,
    },
  );
  const c = attempt(
    'C',
    1,
    {
      steps: [step('pairs', source, source)],
      pairs: { n: 200, flipped: 118, duplicates: 2, meanChosenChars: 41, meanRejectedChars: 88 },
    },
    [
      model.evaluate('C1/reasoning', 507, 540, 41),
      model.evaluate('C1/no-draft', 489, 540, 43),
      model.evaluate('C1/shuffled-draft', 476, 540, 47),
      model.evaluate('C1/direct', 417, 430, 53),
    ],
    {
      remedies: null,
      outcome: 'promoted-by-override',
      metrics: metrics(put, 'C1', 400, 0.693, 0.31, 9, true),
      steps: 400,
      trainLoss: 0.42,
      gpuSeconds: 2.4 * hour,
      losses: 1,
      stepsRedone: 4,
    },
  );
  const of = (name: string) => ({
    candidate: model.items(name),
    phaseA: model.items('A1/direct'),
    phaseB: model.items('B2/reasoning'),
  });
  a.evidence = evidence('A', 1, { candidate: model.items('A1/direct') }, a.evaluations, [], {
    choice: 'approve',
    reason: 'Both criteria hold.',
  });
  b1.evidence = evidence('B', 1, of('B1/direct'), b1.evaluations, diagnosis, {
    choice: 'fix',
    remedies,
    reason: 'Three causes have remedies that need no new teacher calls.',
  });
  b2.evidence = evidence('B', 2, of('B2/reasoning'), b2.evaluations, [], {
    choice: 'approve',
    reason: 'The criterion holds.',
  });
  const noDraft = model.items('C1/no-draft');
  c.evidence = evidence('C', 1, { ...of('C1/reasoning'), noDraft }, c.evaluations, [], {
    choice: 'retry',
    reason: 'The draft’s own share is not shown yet.',
  });
  const attributed = attributions(put, { before: 0.31, after: 0.42 });
  c.experiments = { attribution: { before: attributed.before.summary, after: attributed.after.summary } };
  const arms = { candidate: model.items('C1/reasoning'), noDraft, shuffledDraft: model.items('C1/shuffled-draft') };
  c.evidence.experiments = judgeExperiments(arms, attributed);
  const decide = (
    gate: PhaseName,
    number: number,
    hours: number,
    more: Pick<Decision, 'choice' | 'accepted' | 'override'> & Partial<Decision>,
  ) => decisions.push({ gate, attempt: number, at: at(hours), source: 'update', by: 'Ada Lovelace', ...more });
  decide('A', 1, 2.2, { choice: 'approve', accepted: true, override: false, source: 'policy', by: 'policy' });
  decide('B', 1, 4.6, {
    choice: 'approve',
    accepted: false,
    override: false,
    by: 'Charles',
    refusal: 'Gate B did not pass: approving it is an override and needs a note.',
  });
  decide('B', 1, 5.1, {
    choice: 'fix',
    accepted: true,
    override: false,
    remedies,
    note: 'As recommended; the filter threw away the yes answers.',
  });
  decide('B', 2, 7.9, { choice: 'approve', accepted: true, override: false, source: 'signal' });
  decide('C', 1, 11.3, {
    choice: 'approve',
    accepted: true,
    override: true,
    note: 'The ablation is 0.4 points short of certain; we take it.',
  });
  return [a, b1, b2, c];
}

const diagnosis: Finding[] = [
  {
    cause: 'class-imbalance',
    found: true,
    text: 'yes is 45.5 % of the source and 28.5 % of the training rows; 71.2 % of the predictions are no, 54.0 % of the truth.',
    numbers: { sourceYes: 0.455, trainedYes: 0.285 },
    remedies: { balance: 'upsample' },
  },
  {
    cause: 'lost-to-filtering',
    found: true,
    text: '63 of 200 responses were dropped for disagreeing: 57.1 % of yes, 10.1 % of no.',
    numbers: { lost: 0.315 },
    remedies: { filtering: 'keep-all' },
  },
  {
    cause: 'format-mismatch',
    found: true,
    text: 'trained with the reasoning template, evaluated with the direct one.',
    numbers: {},
    remedies: { sharedTemplate: true },
  },
  {
    cause: 'truncation',
    found: false,
    text: '8 of 687 answers (1.2 %) ended by the token limit.',
    numbers: { truncated: 0.012 },
    remedies: {},
  },
];

type Items = Parameters<typeof judgeCriteria>[1];
function evidence(
  gate: PhaseName,
  attempt: number,
  items: Items,
  evaluations: EvaluationSummary[],
  findings: Finding[],
  recommendation: GateEvidence['recommendation'],
): GateEvidence {
  const criteria = judgeCriteria(recipe.gates[gate].criteria, items);
  const options = {
    A: ['approve', 'retry', 'abort'],
    B: ['approve', 'fix', 'skip', 'redesign', 'abort'],
    C: ['approve', 'retry', 'abort'],
  } as const;
  return {
    gate,
    attempt,
    verdict: overallVerdict(criteria),
    criteria,
    diagnosis: findings,
    evaluations,
    options: [...options[gate]],
    recommendation,
    digest: `${gate}${String(attempt)}`.padEnd(64, 'e'),
  };
}
