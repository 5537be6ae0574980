import { answerCorpus, reasoningCorpus } from '../../domain/corpora.ts';
import type { BuiltCorpus } from '../../domain/corpora.ts';
import { responseReport } from '../../domain/filtering.ts';
import { preferencePairs } from '../../domain/pairs.ts';
import { draftReport } from '../../domain/parse-draft.ts';
import type { DataReport, Draft, Question, TeacherResponse } from '../../domain/records.ts';
import { resolveTemplates } from '../../domain/templates.ts';
import type { Corpus, OrchestratorActivities, Scope } from '../contract.ts';
import { folderOf } from '../scope.ts';
import { sha256 } from '../store/files.ts';
import type { Store } from '../store/store.ts';

type CorpusActivities = Pick<OrchestratorActivities, 'buildAnswerCorpus' | 'buildReasoningCorpus' | 'buildPairs'>;

/** Writes the training rows of each phase: `corpus.jsonl`, `held-out.jsonl` (with early stopping) or `pairs.jsonl`. */
export function createCorpusActivities(store: Store): CorpusActivities {
  const keep = async (
    scope: Scope,
    built: BuiltCorpus,
    template: string,
    more: Partial<DataReport>,
  ): Promise<Corpus> => ({
    rows: await store.putRows(`${folderOf(scope)}/corpus.jsonl`, built.rows),
    heldOut:
      built.heldOut.length === 0 ? null : await store.putRows(`${folderOf(scope)}/held-out.jsonl`, built.heldOut),
    report: { steps: built.steps, ...more },
    templateDigest: sha256(template),
  });

  return {
    buildAnswerCorpus: async ({ scope, recipe, questions }) => {
      const templates = resolveTemplates(recipe.templates);
      return keep(scope, answerCorpus(await store.rows<Question>(questions), templates), templates.answer, {});
    },

    buildReasoningCorpus: async ({ scope, recipe, ...refs }) => {
      const templates = resolveTemplates(recipe.templates);
      const questions = await store.rows<Question>(refs.questions);
      const drafts = await store.rows<Draft>(refs.drafts);
      const responses = await store.rows<TeacherResponse>(refs.responses);
      const built = reasoningCorpus(questions, drafts, responses, templates, {
        ...recipe.phaseB,
        seed: recipe.seed,
        trainOnReasoning: recipe.teacher.trainOnReasoning,
      });
      return keep(scope, built, templates.reasoning, {
        drafts: draftReport(drafts, questions),
        responses: responseReport(responses),
      });
    },

    buildPairs: async ({ scope, recipe, ...refs }) => {
      const templates = resolveTemplates(recipe.templates);
      const questions = await store.rows<Question>(refs.questions);
      const drafts = await store.rows<Draft>(refs.drafts);
      const responses = await store.rows<TeacherResponse>(refs.responses);
      const built = preferencePairs(questions, drafts, responses, templates, recipe.phaseC.chosen, recipe.teacher);
      return {
        rows: await store.putRows(`${folderOf(scope)}/pairs.jsonl`, built.rows),
        heldOut: null,
        report: {
          steps: built.steps,
          drafts: draftReport(drafts, questions),
          responses: responseReport(responses),
          pairs: built.report,
        },
        templateDigest: sha256(templates.reasoning),
      };
    },
  };
}
