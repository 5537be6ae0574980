import type { Recipe } from '../../config/recipe.ts';
import type { Store } from '../store/store.ts';
import type { TeacherConnection } from './connect.ts';
import { createPace } from './pace.ts';
import type { Pace } from './pace.ts';
import { shareCaps } from './shared-caps.ts';

/** The pace of one model of one server, with the stages of this process that hold a cap on it. */
type Shared = { pace: Pace; capped: number; leave: Promise<() => void> | null };

/**
 * The paces of this process: one for each model of each server, whichever stage asks. A recipe's caps are divided among
 * the processes that ask; without caps nothing is written anywhere. Stages with different caps on the same model hold
 * those of the first.
 *
 * @returns for a stage: its pace, and what to call when it is over
 */
export function createPaces(store: Store) {
  const paces = new Map<string, Shared>();
  return async (
    connection: TeacherConnection,
    teacher: Pick<Recipe['teacher'], 'model' | 'requestsPerMinute' | 'tokensPerMinute'>,
  ): Promise<{ pace: Pace; leave: () => Promise<void> }> => {
    const caps = {
      requestsPerMinute: teacher.requestsPerMinute ?? null,
      tokensPerMinute: teacher.tokensPerMinute ?? null,
    };
    const name = `${connection.client.baseURL} ${teacher.model}`;
    const shared = paces.get(name) ?? { pace: createPace(), capped: 0, leave: null };
    paces.set(name, shared);
    const { pace } = shared;
    if (caps.requestsPerMinute === null && caps.tokensPerMinute === null)
      return { pace, leave: () => Promise.resolve() };
    shared.capped += 1;
    const leave = async (): Promise<void> => {
      shared.capped -= 1;
      const leaving = shared.leave;
      if (shared.capped > 0) return;
      shared.leave = null;
      pace.cap({ requestsPerMinute: null, tokensPerMinute: null });
      (await leaving)?.();
    };
    try {
      shared.leave ??= shareCaps(store, name, caps, pace);
      await shared.leave;
      return { pace, leave };
    } catch (error) {
      shared.leave = null;
      await leave();
      throw error;
    }
  };
}

export type PaceOf = ReturnType<typeof createPaces>;
