import { Recipe } from '../../../config/recipe.ts';
import type { Decision, Finding, GateEvidence, GateName } from '../../../domain/gate-types.ts';
import { judgeCriteria, overallVerdict } from '../../../domain/gate-verdict.ts';
import type { PhaseAttempt, ProgrammeState } from '../../../domain/programme.ts';
import type { ArtefactRef, ClassCounts, DataReport, EvaluatedItem, EvaluationSummary, PhaseName } from '../../../domain/records.ts';
import type { ArtefactRows } from '../../../activities/reports/artefact-rows.ts';

/** A programme with the numbers of the reference run (A 408/687, B 354/687), then the fix and Phase C as the plan hoped. */
export type FixtureRun = { state: ProgrammeState; rows: ArtefactRows; files: Map<string, unknown[]> };

const n = 687;
const truthYes = 316;
const ids = Array.from({ length: n }, (_, index) => `q${String(index).padStart(3, '0')}`);
const hour = 3600;
const start = Date.parse('2026-03-02T08:00:00.000Z');
const at = (hours: number) => new Date(start + hours * hour * 1000).toISOString();

/** Park-Miller, so that the fixture is the same everywhere. */
function noise(seed: number): () => number {
  let x = seed;
  return () => (x = (x * 48_271) % 2_147_483_647) / 2_147_483_647;
}

export const recipe = Recipe.parse({
  name: 'strategyqa-phi35',
  description: 'Self-improvement on StrategyQA: Phi-3.5-mini, taught by GPT-4.1-nano',
  data: { source: 's3://datasets/strategyqa/train.json' },
  budget: { gpuHourUsd: 0.35 },
  gates: { A: { criteria: [{ metric: 'accuracy', atLeast: 0.55 }, { metric: 'gain', over: 'majority', atLeast: 0 }] } },
});

export function referenceRun(options: { teacher?: string } = {}): FixtureRun {
  const files = new Map<string, unknown[]>();
  const put = (name: string, rows: unknown[]): ArtefactRef => {
    const uri = `s3://ratchet/runs/reference/${name}`;
    files.set(uri, rows);
    const digest = [...uri].reduce((hash, letter) => (hash * 31 + letter.charCodeAt(0)) >>> 0, 7).toString(16).padStart(8, '0');
    return { uri, sha256: digest.repeat(8), bytes: JSON.stringify(rows).length, rows: rows.length };
  };
  const model = fixtureModel(put);
  const decisions: Decision[] = [];
  const phases = fixturePhases(model, decisions, put);
  const last = phases.at(-1);
  const state: ProgrammeState = {
    run: 'strategyqa-phi35-20260302',
    recipeName: recipe.name,
    recipeDigest: 'c0ffee12'.repeat(8),
    recipe,
    stage: 'done',
    startedAt: at(0),
    finishedAt: at(11.4),
    waiting: null,
    data: {
      train: put('data/train.jsonl', ids.slice(0, 200).map((id) => ({ id: `t${id}`, question: 'In training', answer: 'no' }))),
      evaluation: put('data/evaluation.jsonl', ids.map((id, index) => ({ id, question: questions[index % questions.length], answer: truth(index), facts: [], decomposition: [] }))),
      report: { steps: [step('sampled', { yes: 1071, no: 1234 }, { yes: 91, no: 109 }, [{ reason: 'not sampled', counts: { yes: 980, no: 1125 } }])] },
    },
    drafts: {
      train: put('drafts/train.jsonl', []),
      evaluation: put('drafts/evaluation.jsonl', ids.map((id, index) => ({ id, text: `Answer: ${index % 3 === 0 ? 'Yes' : 'No'} - I am not sure.\nQuestions: What did it cost? When did it end?`, tokens: 31, finish: 'stop', answer: 'no', questions: 'What did it cost?', strict: true }))),
      trainReport: { n: 200, truncated: 14, unparsable: 3, lenient: 9, correct: 118 },
      evaluationReport: { n, truncated: 41, unparsable: 8, lenient: 30, correct: 389 },
    },
    teacher: {
      responses: put('teacher/responses.jsonl', []),
      attempts: 1,
      name: options.teacher ?? 'gpt-4.1-nano',
      report: { n: 200, byClass: { valid: 137, disagreed: 63, unparsable: 0, truncated: 0, refused: 0, failed: 0 }, lenient: 4 },
    },
    baseEvaluation: model.evaluate('base/direct', 371, 420, 5),
    phases,
    promoted: last ? { phase: 'C', attempt: 1, adapter: last.adapter, override: true } : null,
    decisions,
    unreadable: [{ at: at(4.1), text: '{"gate":"B","chioce":"fix"}', refusal: 'chioce is not a field of a decision; did you mean choice?' }],
    spent: { teacherUsd: 0.0214, teacherCalls: 200, gpuSeconds: 8.9 * hour },
    estimate: { teacherUsd: 0.0352, gpuHours: 7, totalUsd: 2.4852 },
    from: null,
    report: null,
    conclusion: 'The adapter of Phase C, attempt 1, is the new model.',
  };
  return { state, files, rows: (ref) => rowsOf(files, ref) };
}

async function* rowsOf<Row>(files: Map<string, unknown[]>, ref: ArtefactRef): AsyncGenerator<Row> {
  await Promise.resolve();
  const rows = files.get(ref.uri);
  if (!rows) throw new Error(`no such object: ${ref.uri}`);
  yield* rows as Row[];
}

const questions = [
  'Could a llama birth twice during the War in Vietnam (1945-46)?',
  'Would a pear sink in water?',
  'Did the Hopi Indians use a trigonal bipyramidal lattice?',
  'Can you buy Casio products at Petco?',
  'Is it common to see frost during some college commencements?',
];
const truth = (index: number) => ((index * 316) % n < truthYes ? 'yes' : 'no') as 'yes' | 'no';
const total = ({ yes, no }: ClassCounts) => yes + no;

function step(name: string, before: ClassCounts, after: ClassCounts, removed: { reason: string; counts: ClassCounts }[] = []) {
  return { name, before, after, removed: removed.filter(({ counts }) => total(counts) > 0) };
}

type Put = (name: string, rows: unknown[]) => ArtefactRef;
type Model = ReturnType<typeof fixtureModel>;

function fixtureModel(put: Put) {
  const items = new Map<string, EvaluatedItem[]>();
  const evaluate = (name: string, correct: number, spread: number, seed: number): EvaluationSummary => {
    // Every model gets the easy questions right; which of the others it gets is drawn.
    const random = noise(seed);
    const order = ids.map((_, index) => ({ index, key: index < spread ? random() * 0.6 : random() })).sort((a, b) => a.key - b.key);
    const right = new Set(order.slice(0, correct).map(({ index }) => index));
    const rows = ids.map((id, index): EvaluatedItem => {
      const answer = right.has(index) ? truth(index) : truth(index) === 'yes' ? 'no' : 'yes';
      const text = name.endsWith('/direct') ? ` ${answer}` : reasoningText(answer);
      return { id, truth: truth(index), answer, correct: right.has(index), finish: index % 97 === 0 ? 'length' : 'stop', text };
    });
    items.set(name, rows);
    const yes = rows.filter(({ answer }) => answer === 'yes').length;
    return { name, items: put(`items/${name.replace('/', '-')}.jsonl`, rows), n, correct, unparsable: 0, truncated: 8, predictedYes: yes, truthYes, templateDigest: name.slice(2).padEnd(64, '0'), adapterSha256: null };
  };
  return { evaluate, items: (name: string) => items.get(name) ?? [] };
}

const reasoningText = (answer: string) =>
  `## Teaching Analysis\nThe student answers without checking the dates.\n\n## Step-by-Step Reasoning\n1. Gestation takes about 11 months.\n2. The war lasted 6 months.\n\n## Final Assessment\nBased on this analysis, the answer is: **${answer.toUpperCase()}**`;

function metrics(put: Put, name: string, steps: number, from: number, to: number, seed: number, dpo = false): ArtefactRef {
  const random = noise(seed);
  const rows = Array.from({ length: steps }, (_, index) => {
    const x = (index + 1) / steps;
    const loss = to + (from - to) * Math.exp(-3.2 * x) + (random() - 0.5) * 0.09 * from;
    const margin = 1.9 * (1 - Math.exp(-2.4 * x)) + (random() - 0.5) * 0.3;
    const preference = { margin, accuracy: Math.min(1, 0.5 + 0.42 * x + (random() - 0.5) * 0.12), chosenLogp: -14 + 1.5 * x + random(), rejectedLogp: -31 - 22 * x + 2 * random(), beta: x < 0.25 ? 0.05 : 0.1 };
    return { event: 'step', time: 1, job: name, step: index + 1, totalSteps: steps, epoch: 3 * x, loss, learningRate: 2e-4 * (1 - x), gradNorm: 0.8, tokens: 3100 * (index + 1), tokensPerSecond: 1180 + 90 * random(), ...(dpo ? preference : {}) };
  });
  const evals = dpo ? [] : [1, 2, 3].map((epoch) => ({ event: 'eval', time: 1, job: name, step: Math.round((steps * epoch) / 3), epoch, loss: to + (from - to) * Math.exp(-1.1 * epoch) + 0.06 }));
  return put(`metrics/${name}.jsonl`, [...rows, ...evals].sort((a, b) => a.step - b.step));
}

function fixturePhases(model: Model, decisions: Decision[], put: Put): PhaseAttempt[] {
  const attempt = (phase: PhaseName, number: number, dataReport: DataReport, evaluations: EvaluationSummary[], more: Pick<PhaseAttempt, 'remedies' | 'outcome' | 'metrics' | 'steps' | 'trainLoss' | 'gpuSeconds' | 'losses' | 'stepsRedone'>): PhaseAttempt => {
    const name = `${phase}${number}`;
    const rows = total(dataReport.steps.at(-1)?.after ?? { yes: 0, no: 0 });
    return { phase, attempt: number, corpus: { ...put(`corpora/${name}.jsonl`, []), rows }, templateDigest: 'ab'.repeat(32), dataReport, adapter: put(`adapters/${name}/manifest.json`, []), evaluations, evidence: null, ...more };
  };
  const source = { yes: 91, no: 109 };
  const dropped = { yes: 52, no: 11 };
  const a = attempt('A', 1, { steps: [step('answers', source, source)] }, [model.evaluate('A1/direct', 408, 430, 11)],
    { remedies: null, outcome: 'promoted', metrics: metrics(put, 'A1', 19, 2.3, 0.62, 3), steps: 19, trainLoss: 0.91, gpuSeconds: 1.6 * hour, losses: 0, stepsRedone: 0 });
  const b1 = attempt('B', 1, { steps: [step('teacher agrees with the truth', source, { yes: 39, no: 98 }, [{ reason: 'teacher disagreed', counts: dropped }])] },
    [model.evaluate('B1/reasoning', 349, 430, 23), model.evaluate('B1/direct', 354, 430, 29)],
    { remedies: null, outcome: 'rejected', metrics: metrics(put, 'B1', 13, 1.7, 0.71, 5), steps: 13, trainLoss: 0.98, gpuSeconds: 1.9 * hour, losses: 1, stepsRedone: 3 });
  const remedies = { filtering: 'keep-all', balance: 'upsample', sharedTemplate: true } as const;
  const b2 = attempt('B', 2, { steps: [step('keep every response', source, source), step('upsample the rarer class', source, { yes: 109, no: 109 })] },
    [model.evaluate('B2/reasoning', 486, 520, 31), model.evaluate('B2/direct', 415, 430, 37)],
    { remedies, outcome: 'promoted', metrics: metrics(put, 'B2', 21, 1.7, 0.48, 7), steps: 21, trainLoss: 0.74, gpuSeconds: 2.3 * hour, losses: 0, stepsRedone: 0 });
  const c = attempt('C', 1, { steps: [step('pairs', source, source)], pairs: { n: 200, flipped: 118, duplicates: 2, meanChosenChars: 41, meanRejectedChars: 88 } },
    [model.evaluate('C1/reasoning', 507, 540, 41), model.evaluate('C1/no-draft', 489, 540, 43), model.evaluate('C1/shuffled-draft', 476, 540, 47), model.evaluate('C1/direct', 417, 430, 53)],
    { remedies: null, outcome: 'promoted-by-override', metrics: metrics(put, 'C1', 400, 0.693, 0.31, 9, true), steps: 400, trainLoss: 0.42, gpuSeconds: 2.4 * hour, losses: 1, stepsRedone: 4 });
  const of = (name: string) => ({ candidate: model.items(name), phaseA: model.items('A1/direct'), phaseB: model.items('B2/reasoning') });
  a.evidence = evidence('A', 1, { candidate: model.items('A1/direct') }, a.evaluations, [], { choice: 'approve', reason: 'Both criteria hold.' });
  b1.evidence = evidence('B', 1, of('B1/direct'), b1.evaluations, diagnosis, { choice: 'fix', remedies, reason: 'Three causes have remedies that need no new teacher calls.' });
  b2.evidence = evidence('B', 2, of('B2/reasoning'), b2.evaluations, [], { choice: 'approve', reason: 'The criterion holds.' });
  c.evidence = evidence('C', 1, { ...of('C1/reasoning'), noDraft: model.items('C1/no-draft') }, c.evaluations, [], { choice: 'retry', reason: 'The draft’s own share is not shown yet.' });
  const decide = (gate: GateName, number: number, hours: number, more: Pick<Decision, 'choice' | 'accepted' | 'override'> & Partial<Decision>) =>
    decisions.push({ gate, attempt: number, at: at(hours), source: 'update', by: 'Ada Lovelace', ...more });
  decide('A', 1, 2.2, { choice: 'approve', accepted: true, override: false, source: 'policy', by: 'policy' });
  decide('B', 1, 4.6, { choice: 'approve', accepted: false, override: false, by: 'Charles', refusal: 'Gate B did not pass: approving it is an override and needs a note.' });
  decide('B', 1, 5.1, { choice: 'fix', accepted: true, override: false, remedies, note: 'As recommended; the filter threw away the yes answers.' });
  decide('B', 2, 7.9, { choice: 'approve', accepted: true, override: false, source: 'signal' });
  decide('C', 1, 11.3, { choice: 'approve', accepted: true, override: true, note: 'The ablation is 0.4 points short of certain; we take it.' });
  return [a, b1, b2, c];
}

const diagnosis: Finding[] = [
  { cause: 'class-imbalance', found: true, text: 'yes is 45.5 % of the source and 28.5 % of the training rows; 71.2 % of the predictions are no, 54.0 % of the truth.', numbers: { sourceYes: 0.455, trainedYes: 0.285 }, remedies: { balance: 'upsample' } },
  { cause: 'lost-to-filtering', found: true, text: '63 of 200 responses were dropped for disagreeing: 57.1 % of yes, 10.1 % of no.', numbers: { lost: 0.315 }, remedies: { filtering: 'keep-all' } },
  { cause: 'format-mismatch', found: true, text: 'trained with the reasoning template, evaluated with the direct one.', numbers: {}, remedies: { sharedTemplate: true } },
  { cause: 'truncation', found: false, text: '8 of 687 answers (1.2 %) ended by the token limit.', numbers: { truncated: 0.012 }, remedies: {} },
];

type Items = Parameters<typeof judgeCriteria>[1];
function evidence(gate: GateName, attempt: number, items: Items, evaluations: EvaluationSummary[], findings: Finding[], recommendation: GateEvidence['recommendation']): GateEvidence {
  const criteria = judgeCriteria(recipe.gates[gate].criteria, items);
  const options = { A: ['approve', 'retry', 'abort'], B: ['approve', 'fix', 'skip', 'redesign', 'abort'], C: ['approve', 'retry', 'abort'] } as const;
  return { gate, attempt, verdict: overallVerdict(criteria), criteria, diagnosis: findings, evaluations, options: [...options[gate]], recommendation, digest: `${gate}${String(attempt)}`.padEnd(64, 'e') };
}
