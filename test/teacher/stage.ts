import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { createApiActivities } from '../../activities/api-activities.ts';
import type { AskInput, Asked } from '../../activities/contract.ts';
import type { Store } from '../../activities/store/store.ts';
import type { ModelServers } from '../../config/keys.ts';
import { Recipe } from '../../config/recipe.ts';
import type { ArtefactRef, Draft, Question } from '../../domain/records.ts';

/** Questions with alternating answers. */
export const someQuestions = (count: number): Question[] =>
  Array.from({ length: count }, (_, index) => ({
    id: `q${String(index).padStart(4, '0')}`,
    question: `Is fact number ${index} true?`,
    answer: index % 2 === 0 ? 'yes' : 'no',
    facts: [`Fact ${index}.`],
    decomposition: [],
  }));

export const draftFor = ({ id }: { id: string }): Draft => ({
  id,
  text: ' Answer: Yes - so it is.\nQuestions: Why? How?',
  tokens: 9,
  finish: 'stop',
  answer: 'yes',
  questions: 'Why? How?',
  strict: true,
});

/** Input of an `askTeacher` activity, its artefacts in the store. */
export async function askInput(
  store: Store,
  recipe: Record<string, unknown>,
  more: { questions?: Question[]; run?: string; attempt?: number; attempts?: number } = {},
): Promise<AskInput> {
  const questions = more.questions ?? someQuestions(20);
  const run = more.run ?? 'run';
  const refs: ArtefactRef[] = [
    await store.putRows(`runs/${run}/data-1/train.jsonl`, questions),
    await store.putRows(`runs/${run}/drafts-1/train.jsonl`, questions.map(draftFor)),
  ];
  return {
    scope: { run, phase: 'teacher', attempt: more.attempt ?? 1 },
    recipe: Recipe.parse({ name: 'test', description: 'test', ...recipe }),
    questions: refs[0] as ArtefactRef,
    drafts: refs[1] as ArtefactRef,
    attempts: more.attempts ?? 1,
  };
}

/** Without the SDK's own lines about activities that fail on purpose. */
export const quietEnvironment = (): MockActivityEnvironment =>
  new MockActivityEnvironment(undefined, { logger: new DefaultLogger('ERROR') });

/** Runs the activity as a worker would. `heartbeats` gets the details of each. */
export function ask(
  store: Store,
  openai: Partial<ModelServers>,
  input: AskInput,
  more: { heartbeats?: unknown[]; environment?: MockActivityEnvironment } = {},
): Promise<Asked> {
  const environment = more.environment ?? quietEnvironment();
  environment.on('heartbeat', (details: unknown) => more.heartbeats?.push(details));
  const activities = createApiActivities({
    store,
    openai: { baseUrl: openai.baseUrl, apiKey: openai.apiKey, keys: openai.keys ?? [] },
  });
  return environment.run((asked: AskInput) => activities.askTeacher(asked), input);
}
