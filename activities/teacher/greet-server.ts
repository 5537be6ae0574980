import { Context } from '@temporalio/activity';
import type { Question } from '../../domain/records.ts';
import { describeServer } from './connect.ts';
import type { TeacherConnection } from './connect.ts';
import { tellFacts } from './simulated.ts';
import { faultOf, teacherFailure } from './teacher-failure.ts';

/**
 * Checks key and server before the first paid call; tells a simulated server its facts.
 *
 * @returns whether the server is the simulated one
 * @throws TeacherRejected, TeacherUnavailable; the cancellation
 */
export async function greetServer(
  connection: TeacherConnection,
  questions: Iterable<Question> | AsyncIterable<Question>,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    const { simulated } = await describeServer(connection, signal);
    if (simulated) await tellFacts(connection, questions, signal);
    return simulated;
  } catch (error) {
    if (signal.aborted) await Context.current().cancelled;
    throw teacherFailure(faultOf(error, connection), connection);
  }
}
