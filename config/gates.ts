import { z } from 'zod';

/** The part of a recipe that says what promotes a phase, who decides, and who is told. */

/** A number that an evaluation yields and a gate may ask for; shares and gains are fractions, not percent. */
const Metric = z.enum([
  'accuracy',
  'gain',
  'ablation-gain',
  'shuffle-drop',
  'attribution',
  'parsable',
  'question-quality',
]);

const Criterion = z.strictObject({
  metric: Metric.describe(
    'accuracy; gain = accuracy minus that of `over`, paired; ablation-gain = full draft minus no draft, paired; shuffle-drop = `over` minus shuffled drafts, paired; attribution = share of the absolute attribution on the draft; parsable = share of outputs with an answer; question-quality = share of wins minus share of losses of the clarifying questions after against before, by the judge.',
  ),
  over: z
    .enum(['majority', 'phaseA', 'phaseB', 'phaseC', 'full-draft', 'no-draft'])
    .optional()
    .describe(
      'What a gain or a drop is measured against; phaseC, in later rounds, is the model that the round started from; the two prompts are for shuffle-drop.',
    ),
  atLeast: z.number().describe('Threshold as a fraction: 0.07 is 7 points.'),
  confidence: z.number().min(0.5).lt(1).default(0.95).describe('Two-sided confidence of the interval.'),
});

const Gate = (criteria: z.input<typeof Criterion>[]) =>
  z
    .strictObject({
      criteria: z
        .array(Criterion)
        .min(1)
        .default(criteria.map((c) => Criterion.parse(c)))
        .describe('All must pass.'),
    })
    .prefault({});

const GateTiming = z.strictObject({
  remindAfterMinutes: z
    .number()
    .positive()
    .default(60)
    .describe('First reminder in the log after this long; doubles each time.'),
  deadlineMinutes: z
    .number()
    .positive()
    .optional()
    .describe('After this long the recommendation is taken; without it a gate waits for ever.'),
});

const httpUrl = z.url({ protocol: /^https?$/ });

const GateWebhook = z.strictObject({
  url: httpUrl.describe('Where a notice is posted as JSON when a gate opens, and at every reminder.'),
  secretEnv: z
    .string()
    .regex(/^RATCHET_WEBHOOK_[A-Z0-9_]+$/)
    .default('RATCHET_WEBHOOK_SECRET')
    .describe('Environment variable of the orchestrator with the secret that signs notices (HMAC-SHA256).'),
  escalateAfterReminders: z.int().min(0).default(3).describe('Reminders before the next ones are escalations.'),
  escalationUrl: httpUrl.optional().describe('Where escalations and passed deadlines go; default: url.'),
});

export const Gates = z.strictObject({
  A: Gate([
    { metric: 'accuracy', atLeast: 0.6 },
    { metric: 'gain', over: 'majority', atLeast: 0 },
  ]),
  B: Gate([{ metric: 'gain', over: 'phaseA', atLeast: 0.07 }]),
  C: Gate([
    { metric: 'gain', over: 'phaseA', atLeast: 0.1 },
    { metric: 'ablation-gain', atLeast: 0.03 },
  ]),
  laterRounds: Gate([{ metric: 'gain', over: 'phaseC', atLeast: 0 }]).describe(
    'What Gate C asks in place of C from the second round of phaseC.rounds on.',
  ),
  policy: z
    .enum(['manual', 'auto', 'recommended'])
    .default('manual')
    .describe('manual waits always; auto goes on when passed; recommended takes the recommendation.'),
  maxExtensions: z
    .int()
    .min(0)
    .max(5)
    .default(1)
    .describe(
      'Most extensions of one gate by held-out questions that data.evaluationLimit left out; each look spends an equal part of the error.',
    ),
  maxFixes: z
    .int()
    .min(0)
    .max(10)
    .default(2)
    .describe('Most repetitions of a phase by fix, retry or redesign; then its gate offers none of them, to nobody.'),
  timing: GateTiming.prefault({}),
  webhook: GateWebhook.optional().describe('Who is told that a gate waits; without it only the log is.'),
});

export type Criterion = z.infer<typeof Criterion>;
