import type { Question } from '../../domain/records.ts';
import { limitEvaluation, splitQuestions } from '../../domain/sampling.ts';
import type { OrchestratorActivities } from '../contract.ts';
import { failure } from '../failure.ts';
import { folderOf } from '../scope.ts';
import { sha256 } from '../store/files.ts';
import type { Store } from '../store/store.ts';
import { loadQuestions } from './load-questions.ts';
import type { DataDeps } from './locate-source.ts';

/** Draws more of the held-out questions, stratified, none of them evaluated before. */
export const createExtendEvaluation =
  (store: Store, deps: DataDeps): OrchestratorActivities['extendEvaluation'] =>
  async ({ scope, recipe, evaluated, items, name }) => {
    const { data, seed } = recipe;
    const before = new Set((await store.rows<Question>(evaluated)).map(({ id }) => id));
    const { evaluation } = splitQuestions(await loadQuestions(data.source, deps), data.evaluationShare, sha256);
    const left = evaluation.filter(({ id }) => !before.has(id));
    if (left.length === 0 || items < 1)
      throw failure(
        'InvalidData',
        `all ${before.size} held-out questions of ${data.source} are evaluated; none is left`,
      );
    // Strata need a question of each answer; the last few left may be of one.
    const answers = new Set(left.map(({ answer }) => answer)).size;
    const more = answers < 2 || items < 2 ? left.slice(0, items) : limitEvaluation(left, items, seed);
    return store.putRows(`${folderOf(scope)}/${name}.jsonl`, more);
  };

/** One artefact of the rows of several, in their order. */
export const createJoinRows =
  (store: Store): OrchestratorActivities['joinRows'] =>
  ({ scope, name, parts }) => {
    async function* rows() {
      for (const part of parts) yield* store.readRows<unknown>(part);
    }
    return store.putRows(`${folderOf(scope)}/${name}.jsonl`, rows());
  };
