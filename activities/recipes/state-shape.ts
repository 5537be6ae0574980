import { z } from 'zod';
import type { ProgrammeState } from '../../domain/programme.ts';
import { failure } from '../failure.ts';

/**
 * The shape of `state.json`, as far as reports, lineage and later runs use it. Whoever can write into the bucket can write
 * one, so that nothing is taken for a text, a number or a list that is none. Fields that are not named here pass: they are
 * of another version, and nothing reads them. What a run had not come to may be missing; who needs it says so.
 */
const text = z.string();
/** A name of a fixed list; which one is checked where it is used. */
const word = z.string().regex(/^[\w.-]{1,60}$/u);
/** JSON has no NaN and no infinity: they come back as null. */
const amount = z.number().nullable();
const count = z.number();
const numbers = z.record(z.string(), amount);
const remedies = z.looseObject({
  ...{ balance: word.optional(), filtering: word.optional(), consensusAttempts: count.optional() },
  ...{ sharedTemplate: z.boolean().optional(), learningRate: count.optional(), epochs: count.optional() },
  earlyStopping: z.looseObject({ patienceEpochs: count, heldOutShare: count }).optional(),
  templates: z.record(z.string(), text).optional(),
});

const Ref = z.looseObject({ uri: text, sha256: text, bytes: count, rows: count });
const Counts = z.looseObject({ yes: count, no: count });
const Round = z.looseObject({ number: count, try: count });

const Drafts = z.looseObject({ n: count, truncated: count, unparsable: count, lenient: count, correct: count });
const Responses = z.looseObject({
  ...{ n: count, lenient: count, byClass: numbers, problems: numbers.optional() },
  agreement: numbers.optional(),
  templates: z
    .array(z.looseObject({ name: text, digest: text, n: count, readable: count, asked: Counts, right: Counts }))
    .optional(),
});
const Report = z.looseObject({
  steps: z.array(
    z.looseObject({
      ...{ name: text, before: Counts, after: Counts },
      removed: z.array(z.looseObject({ reason: text, counts: Counts })),
    }),
  ),
  ...{ drafts: Drafts.optional(), responses: Responses.optional(), pairs: numbers.optional() },
});

const Evaluation = z.looseObject({
  ...{ name: text, items: Ref, templateDigest: text, adapterSha256: text.nullable() },
  ...{ n: count, correct: count, unparsable: count, truncated: count, predictedYes: count, truthYes: count },
});

const Judged = z.looseObject({
  judge: z.looseObject({
    name: text,
    promptDigest: text,
    temperature: count,
    maxTokens: count,
    bothOrders: z.boolean(),
  }),
  compared: z.looseObject({ items: count, wins: count, losses: count, ties: count, flips: numbers, problems: numbers }),
  lengthControl: z.looseObject({ n: count }).nullable(),
  calibration: z.looseObject({ n: count }).nullable(),
  ...{ verdicts: Ref, drafts: Ref },
});
const Attributed = z.looseObject({ rows: Ref, n: count, leftOut: numbers, steps: count, adapterSha256: text });
const Experiments = z.looseObject({
  attribution: z.looseObject({ before: Attributed, after: Attributed }).optional(),
  questionQuality: Judged.optional(),
  failed: z.array(z.looseObject({ name: word, type: text, message: text })).optional(),
});

const Criterion = z.looseObject({
  criterion: z.looseObject({ metric: word, over: word.optional(), atLeast: amount, confidence: amount }),
  ...{ verdict: word, estimate: amount, low: amount, high: amount, n: amount, p: amount, detectable: amount, text },
  counts: numbers,
});
const Evidence = z.looseObject({
  ...{ gate: word, attempt: count, verdict: word, digest: text, round: Round.optional() },
  criteria: z.array(Criterion),
  diagnosis: z.array(z.looseObject({ cause: word, text, numbers, remedies })),
  experiments: z
    .array(
      z.looseObject({
        ...{ name: word, measure: text, unit: word, n: amount, estimate: amount, low: amount, high: amount, p: amount },
        ...{ atLeast: amount, verdict: word.nullable(), text },
      }),
    )
    .optional(),
  failedExperiments: z.array(z.looseObject({ name: word, type: text, message: text })).optional(),
  questionQuality: Judged.optional(),
  evaluations: z.array(Evaluation),
  options: z.array(word),
  budget: z.looseObject({ stage: word }).optional(),
  extension: z.looseObject({ items: count, left: count, settles: z.boolean() }).optional(),
  recommendation: z.looseObject({ choice: word, reason: text, remedies: remedies.optional() }),
  parts: z.looseObject({ gate: word, attempt: count, evaluations: z.record(z.string(), text) }).optional(),
});

const Training = {
  ...{ adapter: Ref, metrics: Ref, steps: count, trainLoss: amount },
  ...{ gpuSeconds: count, stepsRedone: count, losses: count },
  ledger: z.looseObject({ byKind: numbers }).optional(),
};
const Attempt = z.looseObject({
  ...Training,
  ...{ phase: word, attempt: count, corpus: Ref, templateDigest: text, candidate: text, outcome: word },
  round: Round.extend({ drafts: Ref, draftReport: Drafts, responses: Ref }).optional(),
  ...{ remedies: remedies.nullable(), dataReport: Report, evaluations: z.array(Evaluation) },
  ...{ experiments: Experiments.optional(), inexact: text.optional() },
  ...{ evidence: Evidence.nullable(), earlierEvidence: z.array(Evidence).optional() },
});

const Decision = z
  .looseObject({
    ...{ gate: word, choice: word, source: word, at: text, attempt: count.nullable() },
    ...{ accepted: z.boolean(), override: z.boolean(), capUsd: count.optional(), remedies: remedies.optional() },
    ...{ by: text.optional(), note: text.optional(), evidence: text.optional(), refusal: text.optional() },
  })
  .partial();

const Arm = {
  name: word,
  repetition: count,
  seed: count,
  stages: z.array(z.looseObject({ loss: word, epochs: count })),
};
const Ablation = z.looseObject({
  planned: z.array(z.looseObject(Arm)),
  arms: z.array(z.looseObject({ ...Arm, ...Training, evaluation: Evaluation })),
  reference: z.looseObject({ phase: word, attempt: count, adapter: Ref, evaluation: Evaluation }).nullable(),
  pairs: Ref.nullable(),
  table: z
    .looseObject({
      ...{ n: count, findings: z.array(text) },
      rows: z.array(z.looseObject({ name: word, seed: count })),
      spread: z.array(z.looseObject({ name: word })),
    })
    .nullable(),
});

const State = z.looseObject({
  ...{ run: text, recipeName: text, recipeDigest: text, stage: word, startedAt: text, finishedAt: text.nullable() },
  ...{ recipe: z.record(z.string(), z.unknown()).nullable(), waiting: word.nullable() },
  data: z.looseObject({ train: Ref, evaluation: Ref, report: Report }).nullable(),
  drafts: z.looseObject({ train: Ref, evaluation: Ref, trainReport: Drafts, evaluationReport: Drafts }).nullable(),
  teacher: z.looseObject({ responses: Ref, attempts: count, name: text, report: Responses }).nullable(),
  baseEvaluation: Evaluation.nullable(),
  phases: z.array(Attempt),
  promoted: z.looseObject({ phase: word, attempt: count, adapter: Ref, override: z.boolean() }).nullable(),
  decisions: z.array(Decision),
  unreadable: z.array(z.looseObject({ at: text, text, refusal: text })),
  spent: z.looseObject({ teacherUsd: count, teacherCalls: count, gpuSeconds: count }),
  budget: z
    .looseObject({
      capUsd: count,
      warnings: z.array(z.looseObject({ at: text, spentUsd: count, capUsd: count })),
      reached: z.array(Evidence),
    })
    .optional(),
  estimate: z.looseObject({ teacherUsd: amount, gpuHours: amount, totalUsd: amount }).nullable(),
  from: z.looseObject({ run: text, at: word }).nullable(),
  report: z.looseObject({ html: Ref, json: Ref, path: text }).nullable(),
  ablation: Ablation.optional(),
  conclusion: text.nullable(),
});

/** What makes it the state of a run. */
const Whole = State.partial().required({ run: true, stage: true, recipe: true, phases: true });

/**
 * What was read as the state of a run.
 *
 * @param uri where it lies, for the message
 * @throws ArtefactDamaged with the first field that is wrong
 */
export function readState(value: unknown, uri: string): ProgrammeState {
  const { success, error } = Whole.safeParse(value);
  // Checked and not copied: what another version has written beside it stays.
  if (success) return value as ProgrammeState;
  const issue = error.issues[0];
  const field = issue?.path.map(String).join('.') || 'its content';
  throw failure(
    'ArtefactDamaged',
    `${uri} is not the state of a run: ${field.slice(0, 200)}: ${issue?.message ?? 'not understood'}; name another run, or put back the file as it was`,
  );
}
