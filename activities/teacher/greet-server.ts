import type { Question } from '../../domain/records.ts';
import { forLater } from '../store/parallel.ts';
import { describeServer } from './connect.ts';
import type { TeacherConnection } from './connect.ts';
import { tellFacts } from './simulated.ts';
import { orFailure } from './teacher-failure.ts';

/**
 * Checks key and server before the first paid call, and begins to tell a simulated server its facts.
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
