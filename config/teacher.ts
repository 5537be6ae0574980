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

/** Fields that ratchet sets itself, or whose answers it cannot read. */
const ownFields = [
  ...['model', 'messages', 'stream', 'stream_options', 'n', 'best_of', 'max_tokens', 'max_completion_tokens'],
  ...['temperature', 'seed', 'metadata', 'response_format', 'tools', 'tool_choice', 'functions', 'function_call'],
  ...['modalities', 'audio', 'logprobs', 'top_logprobs', 'store'],
];
const mostExtraBytes = 65_536;

const ExtraBody = z.record(z.string(), z.unknown()).superRefine((fields, context) => {
  for (const field of Object.keys(fields)) {
    if (ownFields.includes(field)) refuse(context, [field], 'is set by ratchet itself');
    else if (field === '__proto__' || field === '(__proto__)') refuse(context, [field], 'is no field of a request');
  }
  if (!isJson(fields)) refuse(context, [], 'must be JSON');
  else if (JSON.stringify(fields).length > mostExtraBytes)
    refuse(context, [], `is longer than ${mostExtraBytes} bytes`);
});

type Refinement = { addIssue: (issue: { code: 'custom'; path: string[]; message: string }) => void };
const refuse = (context: Refinement, path: string[], message: string): void => {
  context.addIssue({ code: 'custom', path, message });
};

/** Whether JSON says the value as it is: no infinite numbers, nothing undefined, nothing nested without end. */
function isJson(value: unknown, depth = 0): boolean {
  if (depth > 32) return false;
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return true;
  if (typeof value === 'number') return Number.isFinite(value);
  if (Array.isArray(value)) return value.every((member) => isJson(member, depth + 1));
  return typeof value === 'object' && Object.values(value).every((member) => isJson(member, depth + 1));
}

/** Headers of the connection, of the body's form, and those that hold keys: a recipe holds none. */
const ownHeaders =
  /^(?:host|connection|keep-alive|te|trailer|transfer-encoding|upgrade|expect|via|cookie2?|set-cookie2?|content-.*|accept(?:-.*)?|proxy-.*|sec-.*|x-stainless-.*|user-agent|forwarded|x-forwarded-.*)$|auth|api-?key|access-?key|token|secret|password|credential|session|signature|cookie/i;

const ExtraHeaders = z.record(z.string(), z.string()).superRefine((headers, context) => {
  for (const [name, value] of Object.entries(headers)) {
    if (!/^[!#$%&'*+.^_`|~\dA-Za-z-]{1,100}$/.test(name)) refuse(context, [name], 'is no name of a header');
    else if (ownHeaders.test(name)) refuse(context, [name], 'is not for recipes');
    else if (!/^[\t\x20-\x7e]{0,4096}$/.test(value)) refuse(context, [name], 'has a value that no header takes');
  }
});

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
  baseUrl: z
    .url()
    .optional()
    .describe(
      'OpenAI-compatible base URL; default: OPENAI_BASE_URL, then the official one. Its key is the one that the workers bind to its origin (RATCHET_KEY_NAME), or none.',
    ),
  checkModel: z
    .boolean()
    .default(true)
    .describe(
      'Refuse a key or model that the server does not take, by one call where its lists do not say; false: never.',
    ),
  temperature: z
    .number()
    .min(0)
    .max(2)
    .nullable()
    .default(0.3)
    .describe('Sampling temperature of the teacher; null: not sent, for models that take their default only.'),
  systemRole: z
    .enum(['system', 'user'])
    .default('system')
    .describe("Role of the system prompt; user: it stands before the user's message, for servers that know no other."),
  tokenLimitField: z
    .enum(['max_tokens', 'max_completion_tokens'])
    .optional()
    .describe('Name of the token limit on the wire; default: learnt from what the server refuses.'),
  extraBody: ExtraBody.optional().describe(
    'More fields of each request, such as reasoning_effort or chat_template_kwargs; what they cost must be in the price.',
  ),
  headers: ExtraHeaders.optional().describe('More headers of each request; no keys. Not in batches.'),
  maxTokens: z
    .int()
    .min(16)
    .default(400)
    .describe('Most tokens per response; the reference run used 150 and truncated.'),
  trainOnReasoning: z
    .boolean()
    .default(false)
    .describe("Train on the teacher's reasoning too, in <think> before its answer; false: on its answers alone."),
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
