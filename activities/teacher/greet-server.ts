import type { Question } from '../../domain/records.ts';
import { forLater } from '../store/parallel.ts';
import { describeServer } from './connect.ts';
import type { TeacherConnection } from './connect.ts';
import { tellFacts } from './simulated.ts';
import { orFailure } from './teacher-failure.ts';

/**
 * Looks whether the server is there before the first paid call, and begins to tell a simulated one its facts. Key and model
 * are not judged by it: a key may be allowed to chat and not to look at lists. The first call tells.
 *
 * @returns whether the server is the simulated one, and `told`: to be awaited before the first call
 * @throws TeacherRejected, TeacherUnavailable; the cancellation. `told` as well
 */
export async function greetServer(
  connection: TeacherConnection,
  questions: Iterable<Question> | AsyncIterable<Question>,
): Promise<{ simulated: boolean; told: Promise<void> }> {
  const { simulated } = await orFailure(connection, (signal) => describeServer(connection, signal));
  if (!simulated) return { simulated, told: Promise.resolve() };
  return { simulated, told: forLater(orFailure(connection, (signal) => tellFacts(connection, questions, signal))) };
}
