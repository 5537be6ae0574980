import { createApiActivities } from '../../activities/api-activities.ts';
import type { ApiActivities } from '../../activities/contract.ts';
import type { Store } from '../../activities/store/store.ts';
import type { ModelServers } from '../../config/keys.ts';
import { Recipe } from '../../config/recipe.ts';
import type { JudgedPair } from '../../domain/judging.ts';
import type { Draft, Question } from '../../domain/records.ts';
import { quietEnvironment } from './stage.ts';

export type JudgeInput = Parameters<ApiActivities['judgePairs']>[0];
export type Judged = Awaited<ReturnType<ApiActivities['judgePairs']>>;

/** What a student asks before and after, in place of whole drafts. */
export type Asks = { before: string | null; after: string | null };

/** The two steps of the n-th question: what the simulated judge's hidden quality counts. */
export const stepsOf = (n: number): [string, string] => [`Where is place ${n}?`, `Is it in region ${n}?`];

const idOf = (n: number): string => `q${String(n).padStart(4, '0')}`;

export const placeQuestion = (n: number): Question => ({
  id: idOf(n),
  question: `Could place ${n} see snow?`,
  answer: n % 2 === 0 ? 'yes' : 'no',
  facts: [`Place ${n} is cold.`],
  decomposition: stepsOf(n),
});

const draftOf = (n: number, questions: string | null): Draft => ({
  id: idOf(n),
  text: ` Answer: Yes - so it is.\nQuestions: ${questions ?? ''}`,
  ...{ tokens: 9, finish: 'stop', answer: 'yes', questions, strict: true },
});

/** Input of a `judgePairs` activity on as many questions as there are pairs, its artefacts in the store. */
export async function judgeInput(
  store: Store,
  judge: Record<string, unknown>,
  pairs: readonly Asks[],
  more: { run?: string; recipe?: Record<string, unknown>; budget?: JudgeInput['budget'] } = {},
): Promise<JudgeInput> {
  const run = more.run ?? 'judged';
  const put = (name: string, rows: unknown[]) => store.putRows(`runs/${run}/${name}.jsonl`, rows);
  return {
    scope: { run, phase: 'C', attempt: 1 },
    recipe: Recipe.parse({
      ...{ name: 'test', description: 'test', budget: { capUsd: 1 } },
      judge: { model: 'simulated-judge', calibrationItems: 0, ...judge },
      ...more.recipe,
    }),
    name: 'question-quality',
    questions: await put(
      'questions',
      pairs.map((_, n) => placeQuestion(n)),
    ),
    before: await put(
      'before',
      pairs.map(({ before }, n) => draftOf(n, before)),
    ),
    after: await put(
      'after',
      pairs.map(({ after }, n) => draftOf(n, after)),
    ),
    ...(more.budget && { budget: more.budget }),
  };
}

/** Runs the activity as a worker would. */
export function judgePairs(store: Store, openai: Partial<ModelServers>, input: JudgeInput): Promise<Judged> {
  const activities = createApiActivities({
    store,
    openai: { baseUrl: openai.baseUrl, apiKey: openai.apiKey, keys: openai.keys ?? [] },
  });
  return quietEnvironment().run((asked: JudgeInput) => activities.judgePairs(asked), input);
}

/** The rows of a result, those of the calibration left out. */
export const comparedRows = async (store: Store, { verdicts }: Judged): Promise<JudgedPair[]> =>
  (await store.rows<JudgedPair>(verdicts)).filter(({ known }) => known === undefined);
