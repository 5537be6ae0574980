import { z } from 'zod';
import { Teacher } from './teacher.ts';

const share = z.number().min(0).max(1);
const { concurrency, requestsPerMinute, tokensPerMinute, timeoutSeconds, maxRetries } = Teacher.shape;
const { baseUrl, checkModel, systemRole, tokenLimitField, extraBody } = Teacher.shape;

/** `judge` of a recipe: who compares texts, and how far it is checked. Without it nothing is judged. */
export const Judge = z.strictObject({
  model: z.string().min(1).default('gpt-4.1-mini').describe('Model name at the OpenAI-compatible server.'),
  ...{ baseUrl, checkModel, systemRole, tokenLimitField, extraBody },
  headers: Teacher.shape.headers.describe('More headers of each request; no keys.'),
  temperature: z
    .number()
    .min(0)
    .max(2)
    .nullable()
    .default(0)
    .describe('Sampling temperature of the judge; null: not sent, for models that take their default only.'),
  maxTokens: z.int().min(16).default(300).describe('Most tokens per verdict, its reason included.'),
  ...{ concurrency, requestsPerMinute, tokensPerMinute, timeoutSeconds, maxRetries },
  price: Teacher.shape.price.describe('Price of the model; needed for a model that the price table does not know.'),
  items: z.int().min(10).default(200).describe('Most pairs judged: a sample of the evaluated questions, by the seed.'),
  bothOrders: z
    .boolean()
    .default(true)
    .describe('Show each pair in both orders; what changes with the order is a tie.'),
  calibrationItems: z
    .int()
    .min(0)
    .default(40)
    .describe(
      'Pairs with a known answer (the steps of a question against those of another) that the judge is checked with.',
    ),
  structuredOutput: z
    .boolean()
    .optional()
    .describe('Hold the model to the JSON Schema of a verdict; default: at OpenAI itself.'),
  templates: z
    .strictObject({
      system: z.string().describe('System message of the judge.'),
      user: z.string().describe('User message of the judge; needs {question}, {first} and {second}.'),
    })
    .partial()
    .prefault({})
    .describe('Prompt templates; what is left out comes from domain/judge-prompt.ts.'),
  simulated: z
    .strictObject({
      positionBias: share.default(0).describe('Share of the pairs of which it says that the first is better.'),
      lengthBias: share.default(0).describe('Share of the pairs of which it says that the longer is better.'),
      errorRate: share.default(0).describe('Share of the verdicts that are replaced by another one.'),
    })
    .optional()
    .describe('How the simulated judge errs when no key is set; ignored by a real one.'),
});

export type Judge = z.infer<typeof Judge>;
