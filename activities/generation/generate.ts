import { join } from 'node:path';
import type { Recipe } from '../../config/recipe.ts';
import type { GenerateJob } from '../../config/trainer-job.ts';
import { canonicalJson } from '../../domain/canonical.ts';
import type { BudgetRoom } from '../../domain/budget.ts';
import type { ArtefactRef, Generated } from '../../domain/records.ts';
import type { Scope } from '../contract.ts';
import { cachedFolder } from '../store/folders.ts';
import { sha256 } from '../store/files.ts';
import { resolveBase } from '../training/base-model.ts';
import type { GpuDeps } from '../training/gpu-deps.ts';
import { baseOf, distributedOf } from '../training/jobs.ts';
import { runRowsJob } from './rows-job.ts';

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
  return runRowsJob(deps, {
    ...{ scope: task.scope, budget: task.budget, recipe: task.recipe, label: task.label, kind: 'generate' },
    batchSize: task.settings.batchSize,
    folder: `generation-${generationDigest(task)}`,
    parse: (line): Generated => {
      const { id, text, tokens, finish } = JSON.parse(line) as Generated;
      return { id, text, tokens, finish };
    },
    prepare: async (folder) => {
      const job = await generateJob(deps, task, folder);
      return { job, input: { file: job.promptsFile, lines: promptLines(task) } };
    },
  });
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
