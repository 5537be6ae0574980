import { z } from 'zod';
import type { ProgrammeState } from '../../domain/programme.ts';
import type { OrchestratorActivities } from '../contract.ts';
import { failure } from '../failure.ts';
import { runFolder } from '../scope.ts';
import type { Store } from '../store/store.ts';

const keyOf = (run: string): string => `${runFolder(run)}/state.json`;

/** Enough to tell a state from something else; the fields are checked where they are used. */
const StateShape = z.looseObject({
  run: z.string(),
  recipe: z.unknown(),
  phases: z.array(z.unknown()),
  stage: z.string(),
});

/** `runs/<run>/state.json`: the whole state of a run, so that another can start from it. */
export const createStateActivities = (store: Store): Pick<OrchestratorActivities, 'saveState' | 'loadState'> => ({
  saveState: async ({ state }) => await store.putJson(keyOf(state.run), state),

  loadState: async ({ run }) => {
    const found = await store.getJson(keyOf(run));
    if (found === null) {
      throw failure(
        'UnknownRun',
        `from.run: there is no run ${run} (${store.uriOf(keyOf(run))} is not there); give the id of a run whose data, drafts and teacher responses were finished`,
      );
    }
    const shape = StateShape.safeParse(found.value);
    if (!shape.success) throw failure('ArtefactDamaged', `${store.uriOf(keyOf(run))} is not the state of a run`);
    return found.value as ProgrammeState;
  },
});
