import { mkdir, rm } from 'node:fs/promises';
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import type { Recipe } from '../../config/recipe.ts';
import type { GenerateJob } from '../../config/trainer-job.ts';
import { canonicalJson } from '../../domain/canonical.ts';
import type { BudgetRoom } from '../../domain/budget.ts';
import type { ArtefactRef, Generated } from '../../domain/records.ts';
import type { Scope } from '../contract.ts';
import { cachedFolder } from '../store/folders.ts';
import { sha256, writeWhole } from '../store/files.ts';
import { resolveBase } from '../training/base-model.ts';
import { scopeFolder } from '../training/gpu-deps.ts';
import type { GpuDeps } from '../training/gpu-deps.ts';
import { failureOfJob } from '../training/job-failure.ts';
import { baseOf, distributedOf } from '../training/jobs.ts';
import { openMeter } from './generation-meter.ts';
import { runJob } from '../training/run-job.ts';
import { failureOfStop, supervise } from '../training/supervision.ts';
import type { Supervision } from '../training/supervision.ts';

export type Prompt = { id: string; prompt: string };

export type GenerationTask = {
  scope: Scope;
  /** Of the activity's input. */
  budget: BudgetRoom | undefined;
  recipe: Recipe;
  /** What people see while it runs. */
  label: string;
  prompts: readonly Prompt[];
  adapter: ArtefactRef | null;
  settings: Recipe['drafts'];
  /** Strings that end a generation; they are cut from its text. */
  stop: string[];
};

/**
 * Everything that a generation's outputs depend on, as 16 hex digits: a key for finished results and for the folder in
 * which an interrupted job left its part.
 */
export function generationDigest(task: GenerationTask): string {
  const { recipe, prompts, adapter, settings, stop } = task;
  const identity = {
    model: recipe.model,
    seed: recipe.seed,
    adapter: adapter?.sha256 ?? null,
    settings,
    stop,
    prompts,
  };
  return sha256(canonicalJson(identity)).slice(0, 16);
}

/** A seed of its own for every item: what an item yields does not depend on its batch or on the others. */
const seedOf = (seed: number, id: string): number => Number.parseInt(sha256(`${seed}:${id}`).slice(0, 8), 16) % 2 ** 31;

/**
 * Generates one text per prompt, in order. What an interrupted attempt left on this host is not generated again.
 *
 * @throws as `train`
 */
export async function generate(
  deps: GpuDeps,
  task: GenerationTask,
): Promise<{ outputs: Generated[]; gpuSeconds: number }> {
  const supervision = supervise('generate', task.label, deps.notice);
  const log = deps.log.child({ run: task.scope.run, phase: task.scope.phase, attempt: task.scope.attempt });
  const digest = generationDigest(task);
  try {
    const meter = await openMeter(deps, task, digest, supervision);
    meter.demandRoom();
    const folder = join(scopeFolder(deps, task.scope), `generation-${digest}`);
    await mkdir(folder, { recursive: true });
    const job = await generateJob(deps, task, folder);
    await writeWhole(job.promptsFile, promptLines(task));
    const jobFile = join(folder, 'job.json');
    await writeWhole(jobFile, JSON.stringify(job, null, 2));
    const socket = await deps.trainer.socket();
    const early = supervision.reason();
    if (early !== null) throw failureOfStop(early, null);
    return await meter.during(async () => {
      const outcome = await runJob(socket, jobFile, {
        onEvent: (event) => {
          meter.seen(event);
          if (event.event === 'generated') reportTo(supervision, event);
          else if (event.event === 'warning') log.warn(`trainer: ${event.message}`, { code: event.code });
        },
        ...{ stop: supervision.stop, kill: supervision.kill, graceMs: deps.graceMs },
        stallMs: task.recipe.reliability.stallSeconds * 1000,
      });
      const gpuSeconds = meter.gpuSeconds();
      const reason = supervision.reason();
      if (outcome.code !== 0) throw reason === null ? failureOfJob(outcome, []) : failureOfStop(reason, null);
      const outputs = await readOutputs(job.outputFile);
      log.info(`generated ${outputs.length} texts: ${task.label}`, { seconds: outcome.seconds });
      if (!deps.keepWork) await rm(folder, { recursive: true, force: true });
      return { outputs, gpuSeconds };
    });
  } finally {
    supervision.finish();
  }
}

async function generateJob(deps: GpuDeps, task: GenerationTask, folder: string): Promise<GenerateJob> {
  const { recipe, settings, adapter } = task;
  return {
    version: 1,
    kind: 'generate',
    id: `${task.scope.run}/${task.label}`,
    seed: recipe.seed,
    base: baseOf(recipe, await resolveBase(deps.store, deps.bases, recipe.model.base)),
    outputDir: join(folder, 'out'),
    ...(adapter && { adapter: { path: await cachedFolder(deps.store, adapter) } }),
    promptsFile: join(folder, 'prompts.jsonl'),
    outputFile: join(folder, 'out', 'outputs.jsonl'),
    engine: 'auto',
    sampling: {
      maxNewTokens: settings.maxNewTokens,
      temperature: settings.temperature,
      topP: settings.topP,
      stop: task.stop,
    },
    batchSize: settings.batchSize,
    ...distributedOf(recipe),
  };
}

const promptLines = ({ prompts, recipe }: GenerationTask): string =>
  prompts.map(({ id, prompt }) => `${JSON.stringify({ id, prompt, seed: seedOf(recipe.seed, id) })}\n`).join('');

function reportTo(supervision: Supervision, event: { done: number; total: number; tokensPerSecond: number }): void {
  const { done, total, tokensPerSecond } = event;
  supervision.report({ done, total, tokensPerSecond });
}

async function readOutputs(path: string): Promise<Generated[]> {
  const outputs: Generated[] = [];
  for await (const line of createInterface({ input: createReadStream(path), crlfDelay: Infinity })) {
    if (line === '') continue;
    const { id, text, tokens, finish } = JSON.parse(line) as Generated;
    outputs.push({ id, text, tokens, finish });
  }
  return outputs;
}
