import { z } from 'zod';
import { Distributed } from './distributed.ts';
import { Gates } from './gates.ts';
import { Judge } from './judge.ts';
import { Teacher, TeacherVariant } from './teacher.ts';
import { Reliability } from './reliability.ts';

/**
 * A recipe: everything a programme does, as data. YAML files in `config/recipes/` hold what differs from the defaults
 * here, the numbers of the reference run (Phi-3.5-mini on StrategyQA). The sentence of a field is what editors show.
 */

const share = z.number().min(0).max(1);

export const Model = z.strictObject({
  base: z
    .string()
    .min(1)
    .default('microsoft/Phi-3.5-mini-instruct')
    .describe('Hub id, local folder, s3:// prefix, or builtin:tiny.'),
  revision: z.string().optional().describe('Hub revision (branch, tag or commit).'),
  use4bit: z.boolean().default(true).describe('Load the base as 4-bit NF4 (QLoRA).'),
  dtype: z
    .enum(['auto', 'bfloat16', 'float32'])
    .default('auto')
    .describe('Compute type; auto is bfloat16 where the hardware has it.'),
});

export const Data = z.strictObject({
  source: z
    .string()
    .min(1)
    .default('hf://ChilleD/StrategyQA')
    .describe('File path, s3:// URI, hf:// data set or builtin:world; StrategyQA rows (JSON or JSONL).'),
  samples: z.int().min(2).default(200).describe('Training questions drawn, stratified by label.'),
  evaluationShare: share.default(0.3).describe('Share of the questions held out by question hash; never trained on.'),
  evaluationLimit: z
    .int()
    .min(-1)
    .default(-1)
    .describe('At most this many held-out questions are evaluated; -1 takes all.'),
});

export const Generation = z.strictObject({
  temperature: z.number().min(0).default(0).describe('Sampling temperature; 0 is greedy.'),
  topP: z.number().gt(0).max(1).default(1).describe('Nucleus sampling mass.'),
  maxNewTokens: z
    .int()
    .min(1)
    .default(128)
    .describe('New tokens per item; what ends by this limit counts as truncated.'),
  batchSize: z.int().min(1).default(16).describe('Rows per batch.'),
});

const TargetModules = z
  .array(z.string())
  .min(1)
  .default(['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj']);

export const Lora = z.strictObject({
  r: z.int().min(1).default(16).describe('Rank of the adapter.'),
  alpha: z.number().positive().default(32).describe('LoRA scale numerator.'),
  dropout: z.number().min(0).lt(1).default(0.1).describe('Dropout on the adapter input.'),
  targetModules: TargetModules.describe(
    'Projections that get an adapter (Phi models fuse them: qkv_proj, gate_up_proj).',
  ),
});

const optimisation = {
  batchSize: z.int().min(1).default(2).describe('Rows per micro-batch.'),
  gradientAccumulation: z.int().min(1).default(16).describe('Micro-batches per optimizer step, over all GPUs.'),
  warmupShare: share.default(0.03).describe('Share of the steps with linear warm-up.'),
  scheduler: z.enum(['linear', 'cosine', 'constant']).default('cosine').describe('Learning-rate schedule.'),
  weightDecay: z.number().min(0).default(0).describe('AdamW weight decay.'),
  maxGradNorm: z.number().positive().default(1).describe('Gradient clipping by global norm.'),
  maxLength: z.int().min(8).default(2048).describe('Tokens of prompt and completion together.'),
  checkpointEverySteps: z
    .union([z.int().min(1), z.literal('auto')])
    .default('auto')
    .describe('Optimizer steps between checkpoints; auto: from measured times, by reliability.maxLostSeconds.'),
  maxTruncatedShare: share.default(0.05).describe('Training is refused when more rows than this would be truncated.'),
};

export const Sft = z.strictObject({
  epochs: z.number().positive().default(3).describe('Passes over the training set.'),
  learningRate: z.number().positive().default(2e-4).describe('Peak learning rate.'),
  packing: z.boolean().default(false).describe('Pack short rows together where attention does not leak.'),
  ...optimisation,
});

export const Balance = z.enum(['none', 'upsample', 'weighted-loss']);
export const Filtering = z.enum(['drop-disagreements', 'keep-all', 'consensus']);

const EarlyStopping = z.strictObject({
  patienceEpochs: z.int().min(1).default(2).describe('Epochs without improvement before stopping.'),
  heldOutShare: z.number().gt(0).lt(0.5).default(0.1).describe('Share of the training rows held out for the loss.'),
});

export const PhaseB = z.strictObject({
  ...Sft.shape,
  filtering: Filtering.default('drop-disagreements').describe(
    'Which teacher responses train: agreeing ones, all, or those whose majority over consensusAttempts agrees.',
  ),
  consensusAttempts: z.int().min(1).max(15).default(5).describe('Teacher attempts per question under consensus.'),
  balance: Balance.default('none').describe(
    'Class balance of the corpus: as is, rarer class upsampled, or weighted loss.',
  ),
  earlyStopping: EarlyStopping.optional().describe(
    'Stop when the held-out loss no longer falls; the best epoch is kept.',
  ),
  longerTraining: z
    .strictObject({
      epochs: z.number().positive().describe('Passes over the training set.'),
      learningRate: z.number().positive().describe('Peak learning rate.'),
      earlyStopping: EarlyStopping.optional(),
    })
    .optional()
    .describe(
      'What a fix sets where reasoning does not help yet; default: twice the epochs at half the rate, stopped early.',
    ),
  sharedTemplate: z
    .boolean()
    .default(false)
    .describe(
      'Evaluate with the template that was trained; false evaluates with the direct-answer template of Phase A, as the reference run did.',
    ),
});

export const DpoStage = z.strictObject({
  epochs: z.int().min(1).describe('Epochs of this stage.'),
  beta: z.number().positive().describe('KL strength, unitless.'),
  loss: z.enum(['dpo', 'cal-dpo', 'cal-dpo-published', 'dr-dpo-published']).default('dpo').describe('Loss variant.'),
  dropNoisiestShare: share.default(0).describe('Share of the noisiest pairs dropped (Dr-DPO of the plan).'),
  calLambda: z.number().min(0).optional().describe('Weight λ of the calibration term of cal-dpo-published; default 1.'),
  drBetaPrime: z.number().positive().optional().describe('β′ of dr-dpo-published, in nats of loss; default 1.'),
});

const Attribution = z.strictObject({
  items: z
    .int()
    .min(2)
    .default(100)
    .describe('Evaluated questions drawn for it, by seed; each takes `steps` passes before and after DPO.'),
  steps: z.int().min(1).default(50).describe('Points of the integral; fewer are faster and less complete.'),
  batchSize: z.int().min(1).default(8).describe('Points in one pass; halved by itself where memory does not suffice.'),
});

export const PhaseC = z.strictObject({
  learningRate: z.number().positive().default(1e-5).describe('Peak learning rate.'),
  ...optimisation,
  gradientAccumulation: z.int().min(1).default(1).describe('Micro-batches per optimizer step.'),
  chosen: z
    .enum(['final-answer', 'full-response'])
    .default('final-answer')
    .describe("Chosen text: the teacher's final answer alone, or the whole response."),
  stages: z
    .array(DpoStage)
    .min(1)
    .default([
      { epochs: 1, beta: 0.05, loss: 'dpo', dropNoisiestShare: 0 },
      { epochs: 2, beta: 0.1, loss: 'cal-dpo', dropNoisiestShare: 0 },
      { epochs: 1, beta: 0.1, loss: 'cal-dpo', dropNoisiestShare: 0.15 },
    ])
    .describe('The schedule, in order.'),
  rounds: z
    .int()
    .min(1)
    .max(10)
    .default(1)
    .describe(
      'Most rounds of drafts by the newest model, pairs and DPO; each has its gate, and one that does not pass is the last.',
    ),
  experiments: z
    .strictObject({
      attribution: z
        .union([z.literal('off'), Attribution])
        .prefault({})
        .describe('Integrated gradients of the answer on the prompt: how much of it lies on the draft.'),
    })
    .prefault({})
    .describe('Experiments shown to Gate C beside its criteria; they promote nothing by themselves.'),
});

export const Recipe = z.strictObject({
  programme: z.literal('selfImprovement').default('selfImprovement').describe('Workflow that runs the recipe.'),
  name: z
    .string()
    .regex(/^[a-z0-9][a-z0-9-]*$/)
    .describe('Name of the recipe: lower case, digits, dashes.'),
  description: z.string().describe('One line for `ratchet recipes`.'),
  seed: z.int().min(0).default(42).describe('Seeds sampling, training and generation.'),
  model: Model.prefault({}),
  data: Data.prefault({}),
  drafts: Generation.prefault({ maxNewTokens: 96 }).describe('How the student drafts.'),
  teacher: Teacher.prefault({}),
  judge: Judge.optional().describe('Who judges question quality at Gate C; without it that experiment is left out.'),
  lora: Lora.prefault({}),
  distributed: Distributed.prefault({}).describe('How phases use several GPUs of a host.'),
  phaseA: Sft.prefault({}),
  phaseB: PhaseB.prefault({}),
  phaseC: PhaseC.prefault({}),
  evaluation: Generation.prefault({ maxNewTokens: 400 }).describe('How held-out questions are answered.'),
  templates: z
    .strictObject({
      draft: z.string().describe('Prompt for drafts; needs {question}.'),
      answer: z.string().describe('Prompt of Phase A; needs {question}.'),
      reasoning: z.string().describe('Prompt of Phases B and C; needs {question} and {draft}.'),
      teacherSystem: z.string().describe('System message of the teacher.'),
      teacherUser: z.string().describe('User message of the teacher; needs {question} and {draft}.'),
      teacherVariants: z
        .array(TeacherVariant)
        .min(1)
        .describe("Wordings of the teacher's prompt: attempt i has number i mod their count."),
    })
    .partial()
    .prefault({})
    .describe('Prompt templates; what is left out comes from domain/templates.ts.'),
  gates: Gates.prefault({}),
  budget: z
    .strictObject({
      capUsd: z
        .number()
        .min(0)
        .default(5)
        .describe(
          'Most dollars that a run may spend, on teacher, judge and GPU time together; at it the budget gate waits.',
        ),
      warnShare: share.default(0.8).describe('Share of the cap from which status, log and webhook warn.'),
      gpuHourUsd: z.number().min(0).default(0).describe('Price of one GPU-hour; 0 = GPU time costs nothing.'),
    })
    .prefault({}),
  plan: z
    .strictObject({
      hours: z.strictObject({ A: z.number(), B: z.number(), C: z.number() }).default({ A: 2, B: 2, C: 3 }),
      teacherUsd: z.number().default(1.2),
    })
    .prefault({})
    .describe('What the plan expected, for the report.'),
  reliability: Reliability.prefault({}),
  tracking: z
    .array(z.enum(['tensorboard', 'mlflow', 'wandb']))
    .default([])
    .describe('Where the trainer also reports its metrics.'),
});

export type Recipe = z.infer<typeof Recipe>;
