import { Context } from '@temporalio/activity';
import type { Recipe } from '../../config/recipe.ts';
import { sourceLines } from '../../domain/data-report.ts';
import type { DataSource, DataStep, Question } from '../../domain/records.ts';
import { countByAnswer, limitEvaluation, splitQuestions, stratifiedSample } from '../../domain/sampling.ts';
import type { OrchestratorActivities } from '../contract.ts';
import { failure } from '../failure.ts';
import { folderOf } from '../scope.ts';
import { sha256 } from '../store/files.ts';
import type { Store } from '../store/store.ts';
import { loadData } from './load-questions.ts';
import type { DataDeps } from './locate-source.ts';

/** The questions of a run: those to train on, those held out, and how they came about. */
export type ChosenQuestions = { train: Question[]; evaluation: Question[]; steps: DataStep[] };

/**
 * Splits by question hash, then draws the training sample by label. The same questions for the same recipe, whatever
 * the order of the file.
 *
 * @throws InvalidData when there are too few questions, or of one label only
 */
export function chooseQuestions(questions: readonly Question[], { data, seed }: Recipe): ChosenQuestions {
  const split = splitQuestions(questions, data.evaluationShare, sha256);
  if (split.evaluation.length < 2) {
    throw failure(
      'InvalidData',
      `${questions.length} questions leave ${split.evaluation.length} to evaluate at data.evaluationShare ${data.evaluationShare}; take more questions or a larger share`,
    );
  }
  if (data.samples > split.train.length) {
    throw failure(
      'InvalidData',
      `${data.samples} samples asked, but of ${questions.length} questions ${split.evaluation.length} are held out and ${split.train.length} are left; lower data.samples or data.evaluationShare`,
    );
  }
  const evaluation = limitEvaluation(split.evaluation, data.evaluationLimit, seed);
  const train = stratifiedSample(split.train, data.samples, seed);
  const all = countByAnswer(questions);
  const pool = countByAnswer(split.train);
  const sample = countByAnswer(train);
  const left = { yes: pool.yes - sample.yes, no: pool.no - sample.no };
  return {
    train,
    evaluation,
    steps: [
      {
        name: 'held out for evaluation',
        before: all,
        after: pool,
        removed: [{ reason: 'held out', counts: countByAnswer(split.evaluation) }],
      },
      { name: 'sampled', before: pool, after: sample, removed: [{ reason: 'not drawn', counts: left }] },
    ],
  };
}

/** Says what was taken in the worker's log; outside of a worker nobody reads one. */
function tell(source: DataSource): void {
  const log = activityLog();
  const [first = '', ...others] = sourceLines(source);
  log?.info(first);
  for (const line of others) log?.warn(`${source.name}: ${line}`);
}

function activityLog(): Context['log'] | undefined {
  try {
    return Context.current().log;
  } catch {
    return undefined;
  }
}

/** Writes `train.jsonl` and `evaluation.jsonl` of the run. */
export const createPrepareData =
  (store: Store, deps: DataDeps): OrchestratorActivities['prepareData'] =>
  async ({ scope, recipe }) => {
    const { questions, source } = await loadData(recipe.data.source, deps);
    tell(source);
    const { train, evaluation, steps } = chooseQuestions(questions, recipe);
    const folder = folderOf(scope);
    return {
      train: await store.putRows(`${folder}/train.jsonl`, train),
      evaluation: await store.putRows(`${folder}/evaluation.jsonl`, evaluation),
      report: { source, steps },
    };
  };
