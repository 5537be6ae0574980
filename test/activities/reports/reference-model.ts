import type { Attributions } from '../../../domain/experiments.ts';
import type {
  ArtefactRef,
  AttributedItem,
  ClassCounts,
  EvaluatedItem,
  EvaluationSummary,
} from '../../../domain/records.ts';

export const n = 687;
export const truthYes = 316;
export const ids = Array.from({ length: n }, (_, index) => `q${String(index).padStart(3, '0')}`);
export const hour = 3600;
const start = Date.parse('2026-03-02T08:00:00.000Z');
export const at = (hours: number) => new Date(start + hours * hour * 1000).toISOString();

/** Park-Miller, so that the fixture is the same everywhere. */
export function noise(seed: number): () => number {
  let x = seed;
  return () => (x = (x * 48_271) % 2_147_483_647) / 2_147_483_647;
}

export const truth = (index: number) => ((index * 316) % n < truthYes ? 'yes' : 'no');
export const total = ({ yes, no }: ClassCounts) => yes + no;

export function step(
  name: string,
  before: ClassCounts,
  after: ClassCounts,
  removed: { reason: string; counts: ClassCounts }[] = [],
) {
  return { name, before, after, removed: removed.filter(({ counts }) => total(counts) > 0) };
}

export type Put = (name: string, rows: unknown[]) => ArtefactRef;
export type Model = ReturnType<typeof fixtureModel>;

export function fixtureModel(put: Put) {
  const items = new Map<string, EvaluatedItem[]>();
  const evaluate = (name: string, correct: number, spread: number, seed: number): EvaluationSummary => {
    // Every model gets the easy questions right; which of the others it gets is drawn.
    const random = noise(seed);
    const order = ids
      .map((_, index) => ({ index, key: index < spread ? random() * 0.6 : random() }))
      .sort((a, b) => a.key - b.key);
    const right = new Set(order.slice(0, correct).map(({ index }) => index));
    const rows = ids.map((id, index): EvaluatedItem => {
      const answer = right.has(index) ? truth(index) : truth(index) === 'yes' ? 'no' : 'yes';
      const text = name.endsWith('/direct') ? ` ${answer}` : reasoningText(answer);
      return {
        id,
        truth: truth(index),
        answer,
        correct: right.has(index),
        finish: index % 97 === 0 ? 'length' : 'stop',
        text,
      };
    });
    items.set(name, rows);
    const yes = rows.filter(({ answer }) => answer === 'yes').length;
    return {
      name,
      items: put(`items/${name.replace('/', '-')}.jsonl`, rows),
      n,
      correct,
      unparsable: 0,
      truncated: 8,
      predictedYes: yes,
      truthYes,
      templateDigest: name.slice(2).padEnd(64, '0'),
      adapterSha256: null,
    };
  };
  return { evaluate, items: (name: string) => items.get(name) ?? [] };
}

/** A hundred answers whose drafts have about these shares of the attribution. */
export function attributions(put: Put, shares: { before: number; after: number }): Attributions {
  const of = (name: keyof typeof shares, seed: number): Attributions['before'] => {
    const random = noise(seed);
    const words = ['Question:', ' Would', ' a', ' pear', ' sink', '?', '\nStudent draft:'];
    const drafted = [' Answer:', ' No', ' -', ' größer', '', ' 🍐.'];
    const items = ids.slice(0, 100).map((id, index): AttributedItem => {
      const share = Math.min(1, Math.max(0, shares[name] + 0.3 * (random() - 0.5)));
      const token = (text: string, draft: boolean, mass: number) => {
        return { text, draft, special: false, attribution: mass * (random() < 0.3 ? -1 : 1) };
      };
      const tokens = [
        { text: '', draft: false, special: true, attribution: 0 },
        ...words.map((word) => token(word, false, (2 * (1 - share)) / words.length)),
        ...drafted.map((word) => token(word, true, (2 * share) / drafted.length)),
      ];
      const score = tokens.reduce((sum, { attribution }) => sum + attribution, 0) - 0.5;
      return { id, truth: truth(index), answer: 'no', score, baselineScore: -0.5, tokens };
    });
    const rows = put(`attributions/${name}.jsonl`, items);
    const leftOut = { noAnswer: 0, noDraft: 0 };
    return { items, summary: { rows, n: items.length, leftOut, steps: 50, adapterSha256: name } };
  };
  return { before: of('before', 61), after: of('after', 67) };
}

const reasoningText = (answer: string) =>
  `## Teaching Analysis\nThe student answers without checking the dates.\n\n## Step-by-Step Reasoning\n1. Gestation takes about 11 months.\n2. The war lasted 6 months.\n\n## Final Assessment\nBased on this analysis, the answer is: **${answer.toUpperCase()}**`;

export function metrics(
  put: Put,
  name: string,
  steps: number,
  from: number,
  to: number,
  seed: number,
  dpo = false,
): ArtefactRef {
  const random = noise(seed);
  const rows = Array.from({ length: steps }, (_, index) => {
    const x = (index + 1) / steps;
    const loss = to + (from - to) * Math.exp(-3.2 * x) + (random() - 0.5) * 0.09 * from;
    const margin = 1.9 * (1 - Math.exp(-2.4 * x)) + (random() - 0.5) * 0.3;
    const preference = {
      margin,
      accuracy: Math.min(1, 0.5 + 0.42 * x + (random() - 0.5) * 0.12),
      chosenLogp: -14 + 1.5 * x + random(),
      rejectedLogp: -31 - 22 * x + 2 * random(),
      beta: x < 0.25 ? 0.05 : 0.1,
    };
    return {
      event: 'step',
      time: 1,
      job: name,
      step: index + 1,
      totalSteps: steps,
      epoch: 3 * x,
      loss,
      learningRate: 2e-4 * (1 - x),
      gradNorm: 0.8,
      tokens: 3100 * (index + 1),
      tokensPerSecond: 1180 + 90 * random(),
      ...(dpo ? preference : {}),
    };
  });
  const evals = dpo
    ? []
    : [1, 2, 3].map((epoch) => ({
        event: 'eval',
        time: 1,
        job: name,
        step: Math.round((steps * epoch) / 3),
        epoch,
        loss: to + (from - to) * Math.exp(-1.1 * epoch) + 0.06,
      }));
  return put(
    `metrics/${name}.jsonl`,
    [...rows, ...evals].sort((a, b) => a.step - b.step),
  );
}
