import { z } from 'zod';
import { Distributed } from './distributed.ts';

/**
 * The job file: the only thing that crosses from TypeScript to the Python trainer (with the event stream and the exit
 * codes). `npm run schema` writes `trainer/src/ratchet_trainer/job.schema.json` from it; Python validates against that.
 *
 * All paths are absolute paths on the GPU host. Rates are per optimizer step. Token counts are of the base's tokenizer.
 */

const Path = z.string().min(1);

const Base = z.strictObject({
  path: Path.describe(
    'Folder of the base model (config.json, safetensors, tokenizer) or a hub id where a hub is reachable.',
  ),
  revision: z.string().optional().describe('Hub revision; ignored for folders.'),
  quantization: z.enum(['nf4', 'none']).describe('nf4 = 4-bit NormalFloat weights (QLoRA, arXiv:2305.14314).'),
  dtype: z.enum(['auto', 'bfloat16', 'float32']).describe('Compute type; auto = bfloat16 where the hardware has it.'),
});

const Adapter = z.strictObject({
  path: Path.describe('Folder with adapter_config.json and adapter_model.safetensors.'),
});

const Lora = z.strictObject({
  r: z.int().min(1),
  alpha: z.number().positive(),
  dropout: z.number().min(0).lt(1),
  targetModules: z.array(z.string()).min(1),
});

const Optimisation = z.strictObject({
  epochs: z.number().positive(),
  batchSize: z.int().min(1).describe('Rows per micro-batch and device.'),
  gradientAccumulation: z.int().min(1).describe('Micro-batches per optimizer step, over all devices.'),
  learningRate: z.number().positive(),
  warmupShare: z.number().min(0).lt(1).describe('Share of the steps with linear warm-up.'),
  scheduler: z.enum(['linear', 'cosine', 'constant']),
  weightDecay: z.number().min(0),
  maxGradNorm: z.number().positive(),
  maxLength: z.int().min(8).describe('Tokens of prompt + completion; longer rows are truncated and counted.'),
});

const Checkpointing = z.strictObject({
  everySteps: z
    .union([z.int().min(1), z.literal('auto')])
    .describe('Optimizer steps between checkpoints; auto: from measured times, by maxLostSeconds.'),
  maxLostSeconds: z
    .number()
    .positive()
    .optional()
    .describe(
      'auto: most work that a lost host loses, 60 by default, unless saves would then take over 2 % of the time.',
    ),
  directory: Path.describe(
    'Checkpoints appear here as step-000042/, whole (renamed into place) before the checkpoint event.',
  ),
  resumeFrom: Path.optional().describe('A whole checkpoint folder to go on from.'),
});

const Preflight = z.strictObject({
  maxTruncatedShare: z.number().min(0).max(1).describe('Refuse when a larger share of the rows would be truncated.'),
});

const Tracking = z.array(z.enum(['tensorboard', 'mlflow', 'wandb']));

const common = {
  version: z.literal(1),
  id: z.string().min(1).describe('Run/phase/attempt; appears in every event.'),
  seed: z.int().min(0),
  base: Base,
  outputDir: Path.describe('The job owns this folder; results are renamed into it whole.'),
  distributed: Distributed.optional().describe(
    'Several GPUs; what trains nothing runs on one, and is refused where the trainings that follow would be.',
  ),
};

export const SftJob = z.strictObject({
  ...common,
  kind: z.literal('sft'),
  adapter: Adapter.optional().describe('Go on from this adapter; without it a new LoRA is made.'),
  lora: Lora,
  trainFile: Path.describe(
    'JSONL rows {"prompt","completion","weight"?}; loss on completion tokens and the end token only.',
  ),
  evalFile: Path.optional().describe('Same rows; loss reported each epoch as `eval`.'),
  optimisation: Optimisation,
  packing: z.boolean().describe('Packs rows into maxLength; refused where attention would leak between rows.'),
  earlyStopping: z
    .strictObject({ patienceEpochs: z.int().min(1) })
    .optional()
    .describe('Needs evalFile; best epoch kept.'),
  checkpointing: Checkpointing,
  preflight: Preflight,
  reportTo: Tracking,
});

const DpoStage = z.strictObject({
  epochs: z.int().min(1),
  beta: z.number().positive().describe('KL strength, unitless.'),
  loss: z
    .enum(['dpo', 'cal-dpo', 'cal-dpo-published', 'dr-dpo-published'])
    .describe('cal-dpo subtracts the batch mean of the log-ratio gap; the published variants follow their papers.'),
  dropNoisiestShare: z
    .number()
    .min(0)
    .lt(1)
    .describe('Dr-DPO of the plan: share of the pairs dropped by disagreement; 0 = none.'),
  calLambda: z.number().min(0).default(1).describe('Weight of the calibration term of cal-dpo-published.'),
  drBetaPrime: z.number().positive().default(1).describe("β' of dr-dpo-published."),
});

export const DpoJob = z.strictObject({
  ...common,
  kind: z.literal('dpo'),
  adapter: Adapter.describe('The SFT adapter: start of the policy and the frozen reference.'),
  pairsFile: Path.describe('JSONL rows {"prompt","chosen","rejected"}.'),
  stages: z.array(DpoStage).min(1).describe('The schedule, in order; epochs add up.'),
  optimisation: Optimisation.omit({ epochs: true }),
  checkpointing: Checkpointing,
  preflight: Preflight,
  reportTo: Tracking,
});

export const GenerateJob = z.strictObject({
  ...common,
  kind: z.literal('generate'),
  adapter: Adapter.optional(),
  promptsFile: Path.describe('JSONL rows {"id","prompt","seed"?}.'),
  outputFile: Path.describe(
    'JSONL rows {"id","text","tokens","finish":"stop"|"length"} in input order, renamed into place whole.',
  ),
  engine: z.enum(['auto', 'transformers', 'vllm']).describe('auto = vLLM where installed and on CUDA.'),
  sampling: z.strictObject({
    maxNewTokens: z.int().min(1),
    temperature: z.number().min(0).describe('0 = greedy.'),
    topP: z.number().gt(0).max(1),
    stop: z.array(z.string()).describe('Stop strings, cut from the text; the end token always stops.'),
  }),
  batchSize: z.int().min(1).describe('Rows per batch; rows are sorted by length first.'),
});

export const AttributeJob = z.strictObject({
  ...common,
  kind: z.literal('attribute'),
  adapter: Adapter.optional(),
  itemsFile: Path.describe(
    'JSONL rows {"id","prompt","draft":[[start,end],…],"answer","other"}: the draft in code points of the prompt, what the model wrote up to the end of its answer, and the same with the other answer.',
  ),
  outputFile: Path.describe(
    'JSONL rows {"id","score","baselineScore","tokens":[{"text","draft","special","attribution"}]} in input order, in nats, renamed into place whole.',
  ),
  steps: z.int().min(1).describe('Points of the integral (Gauss–Legendre) of integrated gradients.'),
  batchSize: z.int().min(1).describe('Points in one pass; halved by itself where memory does not suffice.'),
});

export const TrainerJob = z.discriminatedUnion('kind', [SftJob, DpoJob, GenerateJob, AttributeJob]);

export type SftJob = z.infer<typeof SftJob>;
export type DpoJob = z.infer<typeof DpoJob>;
export type GenerateJob = z.infer<typeof GenerateJob>;
export type AttributeJob = z.infer<typeof AttributeJob>;
export type TrainerJob = z.infer<typeof TrainerJob>;

const stamp = { time: z.number().describe('Unix seconds.'), job: z.string() };

/** One line of the event stream. `alive` says the process lives; only `step` and `generated` say that work advances. */
export const TrainerEvent = z.discriminatedUnion('event', [
  z.object({
    ...stamp,
    event: z.literal('started'),
    pid: z.int(),
    startupSeconds: z.number().describe('From the job being read to the first batch.').optional(),
    totalSteps: z.int().optional(),
    resumedStep: z.int().optional(),
    device: z.string().optional(),
  }),
  z.object({ ...stamp, event: z.literal('alive') }),
  z.object({
    ...stamp,
    event: z.literal('step'),
    step: z.int(),
    totalSteps: z.int(),
    epoch: z.number(),
    loss: z.number().describe('Nats per supervised token (sft) or per pair (dpo), mean over the step.'),
    learningRate: z.number(),
    gradNorm: z.number(),
    tokens: z.int().describe('Tokens seen so far, padding excluded.'),
    tokensPerSecond: z.number(),
    beta: z.number().optional(),
    pairs: z.int().describe('DPO: pairs of the step.').optional(),
    margin: z.number().describe('DPO: mean β·(h_w − h_l), nats.').optional(),
    accuracy: z.number().describe('DPO: share of pairs with a positive margin.').optional(),
    chosenLogp: z.number().describe('DPO: mean summed log-prob of chosen, nats.').optional(),
    rejectedLogp: z.number().optional(),
    chosenRatio: z
      .number()
      .describe('DPO: mean h_w, by how much training raised log-probs of chosen, nats.')
      .optional(),
  }),
  z.object({ ...stamp, event: z.literal('eval'), step: z.int(), epoch: z.number(), loss: z.number() }),
  z.object({
    ...stamp,
    event: z.literal('checkpoint'),
    step: z.int().describe('Optimizer steps in it; later steps may have been reported before it was written.'),
    path: Path.describe('Whole and flushed.'),
    seconds: z.number().describe('What training waited for it: for the write before, and for the copy.'),
    writeSeconds: z.number().describe('How long it was then written while training went on.'),
  }),
  z.object({
    ...stamp,
    event: z.literal('generated'),
    done: z.int().describe('Rows of a generate or attribute job that are done and kept.'),
    total: z.int(),
    tokensPerSecond: z.number(),
  }),
  z.object({
    ...stamp,
    event: z.literal('warning'),
    code: z.string(),
    message: z.string(),
    seconds: z.number().describe('checkpointWait: what training waited for the write before.').optional(),
  }),
  z.object({
    ...stamp,
    event: z.literal('result'),
    adapterPath: Path.optional(),
    outputFile: Path.optional(),
    steps: z.int().optional(),
    trainLoss: z.number().optional(),
    evalLoss: z.number().optional(),
    bestEpoch: z.number().optional(),
    trainableParameters: z.int().optional(),
    totalParameters: z.int().optional(),
    supervisedTokens: z.int().optional(),
    truncatedShare: z.number().optional(),
    rows: z.int().optional(),
    seconds: z.number(),
    inexact: z
      .string()
      .describe('Why it is not bit for bit the result of a run that nothing interrupted; absent = it is.')
      .optional(),
  }),
  z.object({ ...stamp, event: z.literal('error'), code: z.string(), message: z.string(), fix: z.string().optional() }),
  z.object({ event: z.literal('exit'), code: z.int(), signal: z.int().optional(), time: z.number() }),
]);

export type TrainerEvent = z.infer<typeof TrainerEvent>;

/** What an exit code of the trainer means. Python: `ratchet_trainer/exit_codes.py` holds the same table; a test compares. */
export const trainerExitCodes = {
  ok: 0,
  unexpected: 1,
  invalidJob: 10,
  preflightRefused: 11,
  outOfMemory: 20,
  diverged: 21,
  interrupted: 30,
  diskFull: 40,
} as const;
