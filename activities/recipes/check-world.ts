import { existsSync, readdirSync } from 'node:fs';
import { isAbsolute, resolve } from 'node:path';
import type { S3Client } from '@aws-sdk/client-s3';
import type { Surroundings } from '../../config/environment.ts';
import { projectRoot } from '../../config/environment.ts';
import type { Problem } from '../../config/problem.ts';
import type { Recipe } from '../../config/recipe.ts';
import type { RunStart } from '../../domain/programme.ts';
import { loadQuestions } from '../datasets/load-questions.ts';
import type { DataDeps } from '../datasets/locate-source.ts';
import { chooseQuestions } from '../datasets/prepare-data.ts';
import { createObjects } from '../store/objects.ts';
import type { Store } from '../store/store.ts';
import { asProblem, problem } from './problems.ts';
import { createStateActivities } from './state.ts';

export { checkJudge, checkTeacher } from './check-server.ts';

/** What the checks need of the world. */
export type CheckDeps = DataDeps & { store: Store; s3: S3Client; surroundings: Surroundings };

/** The bucket is there and can be written, and its server does all that ratchet asks of one. */
export async function checkBucket({ store }: CheckDeps, run: string): Promise<Problem[]> {
  try {
    await store.objects.checkServer(`runs/${run}/.writable`);
    return [];
  } catch (error) {
    return [asProblem('RATCHET_BUCKET', error)];
  }
}

/** The data set can be read, and sampling it as the recipe says leaves both labels on both sides. */
export async function checkData(deps: CheckDeps, recipe: Recipe): Promise<Problem[]> {
  let questions;
  try {
    questions = await loadQuestions(recipe.data.source, deps);
  } catch (error) {
    return [asProblem('data.source', error, 'correct the file, or name another one')];
  }
  const lacking = (['yes', 'no'] as const).find((answer) => questions.every((question) => question.answer !== answer));
  if (lacking !== undefined) {
    const what = `all ${questions.length} questions of ${recipe.data.source} have answer ${lacking === 'yes' ? 'no' : 'yes'}`;
    return [problem('InvalidData', 'data.source', what, 'take questions with both answers')];
  }
  try {
    chooseQuestions(questions, recipe);
    return [];
  } catch (error) {
    return [asProblem('data.samples', error)];
  }
}

const baseFiles = (names: readonly string[]): string[] => {
  const lacking: string[] = [];
  if (!names.includes('config.json')) lacking.push('config.json');
  if (!names.some((name) => name === 'tokenizer.json' || name === 'tokenizer.model' || name === 'vocab.json'))
    lacking.push('a tokenizer');
  if (!names.some((name) => name.endsWith('.safetensors') || name.endsWith('.bin'))) lacking.push('weights');
  return lacking;
};

/**
 * The base model is there, as far as this host can tell: a folder is looked into where the GPU worker is on this host
 * (embedded stack); on another host that worker refuses a missing one with its first job, before the teacher is asked.
 */
export async function checkBase({ surroundings, environment, s3 }: CheckDeps, { model }: Recipe): Promise<Problem[]> {
  const { base } = model;
  const field = 'model.base';
  if (base.startsWith('s3://')) {
    const [bucket = '', ...rest] = base.slice('s3://'.length).split('/');
    const prefix = `${rest.join('/').replace(/\/$/, '')}/`;
    try {
      const keys = await createObjects(s3, bucket).list(prefix);
      const lacking = baseFiles(keys.map((key) => key.slice(prefix.length)));
      if (lacking.length === 0) return [];
      return [
        problem(
          'InvalidRecipe',
          field,
          `${base} lacks ${lacking.join(' and ')}`,
          'upload the whole folder of the model',
        ),
      ];
    } catch (error) {
      return [asProblem(field, error)];
    }
  }
  const builtin = base === 'builtin:tiny';
  const folder = builtin ? surroundings.tinyBase : resolve(projectRoot, base);
  const isFolder = builtin || isAbsolute(base) || base.startsWith('.') || existsSync(folder);
  if (!isFolder) {
    if (/^[\w.-]+\/[\w.-]+$/.test(base)) return [];
    return [
      problem(
        'InvalidRecipe',
        field,
        `${base} is neither a folder nor a hub id`,
        'write owner/name, a folder, s3://… or builtin:tiny',
      ),
    ];
  }
  if (!builtin && !existsSync(folder) && !(environment['RATCHET_EMBEDDED'] ?? '').includes('temporal')) return [];
  if (!existsSync(folder)) {
    const fix = builtin
      ? 'run npm run setup, which builds it'
      : 'give a folder with config.json, tokenizer and weights, or a hub id';
    return [problem('InvalidRecipe', field, `there is no folder ${folder}`, fix)];
  }
  const lacking = baseFiles(readdirSync(folder));
  if (lacking.length === 0) return [];
  return [
    problem('InvalidRecipe', field, `${folder} lacks ${lacking.join(' and ')}`, 'give the whole folder of the model'),
  ];
}

/** The secret of the recipe's webhook is set where notices are signed. */
export function checkWebhook({ environment }: CheckDeps, { gates: { webhook } }: Recipe): Problem[] {
  if (webhook === undefined || environment[webhook.secretEnv]) return [];
  const fix = 'set it for the orchestrator, or remove gates.webhook';
  return [problem('WebhookRefused', webhook.secretEnv, 'not set, so notices of gates.webhook cannot be signed', fix)];
}

/** The older run is there, and its adapters are of this recipe's base. */
export async function checkFrom({ store }: CheckDeps, recipe: Recipe, from: RunStart['from']): Promise<Problem[]> {
  if (from === undefined) return [];
  try {
    const older = await createStateActivities(store).loadState({ run: from.run });
    const base = (older.recipe as Partial<Recipe> | null)?.model?.base;
    if (base === recipe.model.base) return [];
    const what = `${from.run} trained adapters for ${base ?? 'no base'}, this recipe has ${recipe.model.base}`;
    return [problem('BaseMismatch', 'from.run', what, `write model.base: ${base ?? '…'}, or start from another run`)];
  } catch (error) {
    return [asProblem('from.run', error)];
  }
}
