import { join } from 'node:path';
import type { Recipe } from '../../config/recipe.ts';
import type { AttributeJob } from '../../config/trainer-job.ts';
import { attributionInputs } from '../../domain/attribution.ts';
import type { AttributionInputs } from '../../domain/attribution.ts';
import { canonicalJson } from '../../domain/canonical.ts';
import type { AttributedItem, Draft, EvaluatedItem, Question } from '../../domain/records.ts';
import { resolveTemplates } from '../../domain/templates.ts';
import type { GpuActivities } from '../contract.ts';
import { failure } from '../failure.ts';
import { rowsOnce } from '../generation/finished-rows.ts';
import { runRowsJob } from '../generation/rows-job.ts';
import { folderOf } from '../scope.ts';
import { sha256 } from '../store/files.ts';
import { cachedFolder } from '../store/folders.ts';
import { resolveBase } from '../training/base-model.ts';
import type { GpuDeps } from '../training/gpu-deps.ts';
import { baseOf, distributedOf } from '../training/jobs.ts';

type Settings = Exclude<Recipe['phaseC']['experiments']['attribution'], 'off'>;
type Task = Parameters<GpuActivities['attribute']>[0] & { settings: Settings; made: AttributionInputs };

/**
 * `attribute` of the contract. Safe to repeat: a finished one is found by the digest of its inputs, and one that was
 * interrupted on this host goes on.
 *
 * @throws as `train`
 */
export const createAttributionActivity =
  (deps: GpuDeps): GpuActivities['attribute'] =>
  async (input) => {
    const { scope, recipe, name, adapter } = input;
    const settings = recipe.phaseC.experiments.attribution;
    if (settings === 'off') throw failure('InvalidRecipe', 'phaseC.experiments.attribution is off');
    const [questions, drafts, evaluated] = await Promise.all([
      deps.store.rows<Question>(input.questions),
      deps.store.rows<Draft>(input.drafts),
      deps.store.rows<EvaluatedItem>(input.evaluation),
    ]);
    const draw = { items: settings.items, seed: recipe.seed };
    const made = attributionInputs(questions, drafts, evaluated, resolveTemplates(recipe.templates), draw);
    const task: Task = { ...input, settings, made };
    const digest = taskDigest(task);
    const { rows, ref, gpuSeconds } = await rowsOnce(
      deps.store,
      `${folderOf(scope)}/attribution-${name}-${digest}`,
      () => attributed(deps, task, digest),
    );
    const { steps } = settings;
    const summary = { rows: ref, n: rows.length, leftOut: made.leftOut, steps, adapterSha256: adapter.sha256 };
    return { summary, gpuSeconds };
  };

/** Everything that the attributions depend on, as 16 hex digits. */
const taskDigest = ({ recipe, adapter, settings, made }: Task): string =>
  sha256(
    canonicalJson({ model: recipe.model, adapter: adapter.sha256, steps: settings.steps, inputs: made.inputs }),
  ).slice(0, 16);

async function attributed(
  deps: GpuDeps,
  task: Task,
  digest: string,
): Promise<{ rows: AttributedItem[]; gpuSeconds: number }> {
  const { scope, budget, recipe, name, made } = task;
  // A model that answers nothing readable leaves nothing to attribute, which is no error.
  if (made.inputs.length === 0) return { rows: [], gpuSeconds: 0 };
  const label = `${scope.phase}${scope.attempt} attribution ${name} DPO`;
  const { outputs, gpuSeconds } = await runRowsJob(deps, {
    ...{ scope, budget, recipe, label, kind: 'attribute', folder: `attribution-${digest}` },
    batchSize: task.settings.batchSize,
    parse: (line) => JSON.parse(line) as Omit<AttributedItem, 'truth' | 'answer'>,
    prepare: async (folder) => {
      const job = await attributeJob(deps, task, folder, label);
      return {
        job,
        input: { file: job.itemsFile, lines: made.inputs.map((row) => `${JSON.stringify(row)}\n`).join('') },
      };
    },
  });
  const byId = new Map(outputs.map((output) => [output.id, output]));
  const rows = made.answers.map(({ id, truth, answer }) => {
    const output = byId.get(id);
    if (output === undefined) throw failure('TrainerFailed', `the trainer attributed no answer to ${id}`);
    const { score, baselineScore, tokens } = output;
    return { id, truth, answer, score, baselineScore, tokens };
  });
  return { rows, gpuSeconds };
}

async function attributeJob(
  deps: GpuDeps,
  { scope, recipe, adapter, settings }: Task,
  folder: string,
  label: string,
): Promise<AttributeJob> {
  return {
    version: 1,
    kind: 'attribute',
    id: `${scope.run}/${label}`,
    seed: recipe.seed,
    base: baseOf(recipe, await resolveBase(deps.store, deps.bases, recipe.model.base)),
    outputDir: join(folder, 'out'),
    adapter: { path: await cachedFolder(deps.store, adapter) },
    itemsFile: join(folder, 'items.jsonl'),
    outputFile: join(folder, 'out', 'attributions.jsonl'),
    steps: settings.steps,
    batchSize: settings.batchSize,
    ...distributedOf(recipe),
  };
}
