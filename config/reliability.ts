import { z } from 'zod';

/** How losses and outages are met: the block `reliability` of a recipe. */
export const Reliability = z.strictObject({
  heartbeatSeconds: z.number().positive().default(30).describe('A worker silent for longer is taken for lost.'),
  stallSeconds: z
    .number()
    .positive()
    .default(900)
    .describe('A trainer alive without a step for longer is ended and retried.'),
  maxInfrastructureRetries: z.int().min(0).default(10).describe('Retries after infrastructure errors, with back-off.'),
  outageMinutes: z
    .number()
    .min(0)
    .default(60)
    .describe('What is finished or paid waits so long for S3 before it fails.'),
  maxLostSeconds: z
    .number()
    .positive()
    .default(60)
    .describe(
      'Most training that a lost host loses where checkpointEverySteps is auto, unless saves would take over 2 % of it.',
    ),
  keepCheckpoints: z
    .int()
    .min(1)
    .default(2)
    .describe('Newest checkpoints kept while a training runs; the one with the lowest held-out loss stays beside.'),
  preemptionNotice: z
    .enum(['none', 'aws', 'gcp'])
    .default('none')
    .describe('Cloud whose metadata service is asked, while a training runs, whether this host is about to go.'),
});
