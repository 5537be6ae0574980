import { z } from 'zod';

/** How a training phase uses several GPUs of one host: part of a recipe and of the trainer's jobs. */
export const Distributed = z.strictObject({
  processes: z
    .int()
    .min(1)
    .default(1)
    .describe('Processes of one host that train together, each with a GPU of its own (world size).'),
  strategy: z
    .enum(['ddp', 'fsdp'])
    .default('ddp')
    .describe('ddp: every GPU holds the whole model; fsdp: base, adapter and optimizer state are split over the GPUs.'),
  allowOtherWorldSize: z
    .boolean()
    .default(false)
    .describe('Go on with fewer or more processes on a host that has not as many GPUs; the result is marked inexact.'),
});
