import { z } from 'zod';

const share = z.number().min(0).max(1);

/** What a model costs, as a recipe gives it. */
export const Price = z.union([
  z.literal('free').describe('Calls cost nothing (a local server).'),
  z.strictObject({
    inputPerMillionUsd: z.number().min(0).describe('US dollars per million input tokens.'),
    cachedInputPerMillionUsd: z
      .number()
      .min(0)
      .optional()
      .describe('The same for input that the provider had in its prompt cache; default: as other input.'),
    outputPerMillionUsd: z.number().min(0).describe('US dollars per million output tokens.'),
    batchFactor: z
      .number()
      .min(0)
      .max(1)
      .optional()
      .describe('What a batch costs against the same calls made at once; default: 1, nothing is taken off.'),
  }),
]);

/** As in `templates.teacherVariants`. */
export const TeacherVariant = z.strictObject({
  name: z
    .string()
    .regex(/^[a-z0-9][a-z0-9-]*$/)
    .describe('Name in rows and reports: lower case, digits, dashes.'),
  system: z.string().optional().describe('System message; default: templates.teacherSystem.'),
  user: z.string().optional().describe('User message, with {question} and {draft}; default: templates.teacherUser.'),
});

const Batch = z.strictObject({
  completionWindowHours: z
    .int()
    .min(1)
    .default(24)
    .describe('Time that the provider has for a batch; OpenAI takes 24 only. What is not done by then is sent again.'),
  pollMinutes: z
    .number()
    .positive()
    .max(60)
    .default(10)
    .describe('Longest time between two looks at the batches; the first looks come sooner.'),
  maxRequestsPerFile: z.int().min(1).max(50_000).default(50_000).describe('Most requests in one batch.'),
  maxFileMegabytes: z.number().positive().max(200).default(200).describe('Most megabytes of one input file.'),
  maxRounds: z
    .int()
    .min(1)
    .max(10)
    .default(3)
    .describe('How often what has no answer yet is sent as batches before thenLive decides.'),
  thenLive: z
    .boolean()
    .default(true)
    .describe('Ask live, at full price, what still has no answer after maxRounds; false: it fails by name.'),
});

/** `teacher` of a recipe: who is asked, how fast and at what price. */
export const Teacher = z.strictObject({
  model: z.string().min(1).default('gpt-4.1-nano').describe('Model name at the OpenAI-compatible server.'),
  baseUrl: z.url().optional().describe('OpenAI-compatible base URL; default: OPENAI_BASE_URL, then the official one.'),
  temperature: z.number().min(0).max(2).default(0.3).describe('Sampling temperature of the teacher.'),
  maxTokens: z
    .int()
    .min(16)
    .default(400)
    .describe('Most tokens per response; the reference run used 150 and truncated.'),
  concurrency: z
    .int()
    .min(1)
    .max(512)
    .default(16)
    .describe('Most requests in flight at once; fewer where the provider answers 429.'),
  requestsPerMinute: z
    .number()
    .min(1)
    .optional()
    .describe('Most requests per minute to the model, by all api workers together; default: what the provider tells.'),
  tokensPerMinute: z
    .number()
    .min(1)
    .optional()
    .describe('Most tokens per minute, in and out, by all api workers together; default: what the provider tells.'),
  timeoutSeconds: z
    .number()
    .positive()
    .optional()
    .describe('A request that takes longer is given up and made again; default: 120.'),
  maxRetries: z.int().min(0).max(20).default(6).describe('Retries per request on 429, 5xx and network errors.'),
  mode: z
    .enum(['live', 'batch'])
    .default('live')
    .describe('Call by call, or as batches of the provider (OpenAI Batch API): half the price, up to a day.'),
  batch: Batch.prefault({}).describe('How batches are made and waited for; only with mode: batch.'),
  price: Price.optional().describe('Price of the model; needed for a model that the price table does not know.'),
  simulated: z
    .strictObject({
      errorRateYes: share.default(0.571).describe('Share of wrong answers where the truth is yes.'),
      errorRateNo: share.default(0.101).describe('Share of wrong answers where the truth is no.'),
    })
    .optional()
    .describe('How the simulated teacher errs when no key is set; ignored by a real one.'),
});
