import type { Question } from '../../domain/records.ts';
import type { Recipe } from '../../config/recipe.ts';
import { eachInParallel, inChunks } from '../store/parallel.ts';
import type { TeacherConnection } from './connect.ts';

/**
 * All that the activities do for the simulated teacher: tell it the facts (a real teacher knows the world) and how to
 * err. It is recognised by what `/v1/models` says, so no real server is ever sent any of this.
 */

/** `owned_by` of the models that the simulated teacher lists. */
export const simulatedOwner = 'ratchet-simulated';

const questionsAtOnce = 500;
const callsAtOnce = 4;

/** Tells it the questions with their facts. It keeps them in memory only, so every activity begins with this. */
export async function tellFacts(
  { client }: TeacherConnection,
  questions: Iterable<Question> | AsyncIterable<Question>,
  signal?: AbortSignal,
): Promise<void> {
  await eachInParallel(inChunks(questions, questionsAtOnce), callsAtOnce, async (some) => {
    await client.post('/simulated/questions', { body: { questions: some }, signal: signal ?? null });
  });
}

/** `metadata` of its requests: by which hash and at which rates it errs. Part of the request, hence of its digest. */
export const simulatedMetadata = (recipe: Recipe, attempt: number): Record<string, string> => ({
  seed: String(recipe.seed),
  attempt: String(attempt),
  error_rate_yes: String(recipe.teacher.simulated?.errorRateYes ?? 0.571),
  error_rate_no: String(recipe.teacher.simulated?.errorRateNo ?? 0.101),
});

/** Names of the models that answered (null = none did); the one that was to be asked where there is none. */
export function namesOf(models: Iterable<string | null>, asked: string, simulated: boolean): string {
  const names = new Set(models);
  names.delete(null);
  return names.size === 0 ? teacherName(asked, simulated) : [...names].sort().join(', ');
}

/** The name under which its answers are recorded: always one that says so. */
export const teacherName = (model: string, simulated: boolean): string =>
  simulated && !model.startsWith('simulated') ? `simulated-${model}` : model;
