import { evaluateItems, evaluationPrompts, evaluationTemplate, countItems } from '../../domain/evaluation.ts';
import { draftOf, draftReport } from '../../domain/parse-draft.ts';
import { limitEvaluation } from '../../domain/sampling.ts';
import type { Draft, EvaluatedItem, EvaluationMode, Question } from '../../domain/records.ts';
import { fillTemplate, resolveTemplates } from '../../domain/templates.ts';
import type { GpuActivities } from '../contract.ts';
import { folderOf } from '../scope.ts';
import { sha256 } from '../store/files.ts';
import type { GpuDeps } from '../training/gpu-deps.ts';
import { generate, generationDigest } from './generate.ts';
import type { GenerationTask } from './generate.ts';
import { rowsOnce } from './finished-rows.ts';

/**
 * A direct answer is one word; a model that goes on is cut at the end of the line, and never gets more tokens than this.
 * The recipe's limit is for reasoning.
 */
const DIRECT_MAX_NEW_TOKENS = 8;

/** `generateDrafts` and `evaluate` of the contract. Safe to repeat: a finished one is found by the digest of its inputs. */
export function createGenerationActivities(deps: GpuDeps): Pick<GpuActivities, 'generateDrafts' | 'evaluate'> {
  const { store } = deps;

  /** Rows made from the outputs of a task, or those that an earlier attempt made. */
  const rowsOf = <Row>(
    task: GenerationTask,
    name: string,
    parse: (outputs: Awaited<ReturnType<typeof generate>>['outputs']) => Row[],
  ) =>
    rowsOnce(store, `${folderOf(task.scope)}/${name.replaceAll('/', '-')}-${generationDigest(task)}`, async () => {
      const { outputs, gpuSeconds } = await generate(deps, task);
      return { rows: parse(outputs), gpuSeconds };
    });

  return {
    generateDrafts: async ({ scope, budget, recipe, questions, adapter, name, sample }) => {
      const all = await store.rows<Question>(questions);
      const asked = sample ? limitEvaluation(all, sample.items, sample.seed) : all;
      const { draft: template } = resolveTemplates(recipe.templates);
      const prompts = asked.map(({ id, question }) => ({ id, prompt: fillTemplate(template, { question }) }));
      const task = {
        scope,
        budget,
        recipe,
        label: `drafts ${name}`,
        prompts,
        adapter,
        settings: recipe.drafts,
        stop: draftStops,
      };
      const { rows, ref, gpuSeconds } = await rowsOf<Draft>(task, `drafts-${name}`, (outputs) => outputs.map(draftOf));
      return { drafts: ref, report: draftReport(rows, asked), gpuSeconds };
    },

    evaluate: async ({ scope, budget, recipe, name, mode, questions, drafts, adapter }) => {
      const asked = await store.rows<Question>(questions);
      const templates = resolveTemplates(recipe.templates);
      const drafted = drafts && (await store.rows<Draft>(drafts));
      const prompts = evaluationPrompts(mode, asked, drafted, templates, recipe.seed);
      const settings = mode === 'direct' ? directSettings(recipe.evaluation) : recipe.evaluation;
      const task = { scope, budget, recipe, label: name, prompts, adapter, settings, stop: evaluationStops(mode) };
      const { rows, ref, gpuSeconds } = await rowsOf<EvaluatedItem>(task, `evaluation-${name}`, (outputs) =>
        evaluateItems(mode, asked, outputs),
      );
      const summary = {
        name,
        items: ref,
        ...countItems(rows),
        templateDigest: sha256(evaluationTemplate(mode, templates)),
        adapterSha256: adapter?.sha256 ?? null,
      };
      return { summary, gpuSeconds };
    },
  };
}

/** What a base that was never trained to stop goes on with. `Question:` is not among them: a draft may ask one. */
const draftStops = ['\nReasoning:', '\nStudent draft:'];

const evaluationStops = (mode: EvaluationMode): string[] =>
  mode === 'direct' ? ['\n'] : ['\nQuestion:', '\nStudent draft:'];

const directSettings = (settings: GenerationTask['settings']): GenerationTask['settings'] => ({
  ...settings,
  maxNewTokens: Math.min(settings.maxNewTokens, DIRECT_MAX_NEW_TOKENS),
});
